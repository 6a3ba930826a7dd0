package place

import (
	"context"
	"fmt"
)

// tried is the object that Try makes.
const tried = ".pecvt-try"

// Try writes and removes a small object, for an error before long work where that may not
// be done.
func (t *Target) Try(ctx context.Context) error {
	name, at := tried, t.Root()
	if t.file != "" {
		name, at = "."+t.file+tried, t.Path(t.file)
	}
	if _, err := t.put(ctx, name, nil, ""); err != nil {
		return fmt.Errorf("target %s: nothing can be written there: %w", at, err)
	}
	if err := t.remove(context.WithoutCancel(ctx), name); err != nil {
		return fmt.Errorf("target %s: objects can be written there and not removed, which a conversion has to: %w", at, err)
	}
	return ctx.Err()
}
