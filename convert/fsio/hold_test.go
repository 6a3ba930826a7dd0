package fsio

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// One has a lock at a time, and whoever waits for it goes on when it is free, or when it
// need not wait any more.
func TestHold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	release, err := Hold(context.Background(), path, func() { t.Error("waited for nobody") })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	told := 0
	if _, err := Hold(ctx, path, func() { told++ }); !errors.Is(err, context.DeadlineExceeded) || told != 1 {
		t.Errorf("held twice: %v, told %d times", err, told)
	}
	time.AfterFunc(100*time.Millisecond, release)
	again, err := Hold(context.Background(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	again()
}
