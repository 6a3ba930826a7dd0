package main

import (
	"context"

	"github.com/pecvt/pecvt/convert/place"
)

// staged makes models that are named by URLs lie on the local disk, for a verb that needs
// files, and gives their paths; a path stays as it is, and an empty one empty.
func staged(ctx context.Context, u *ui, models ...*string) error {
	for _, m := range models {
		if !place.IsURL(*m) {
			continue
		}
		local, err := place.Stage(ctx, *m, func(file string, done, total int64) { u.bytes("fetch "+file, done, total) })
		if err != nil {
			return err
		}
		*m = local
	}
	return nil
}
