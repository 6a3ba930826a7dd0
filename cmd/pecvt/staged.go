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

// fetched is staged for a checkpoint that is imported, which is of another format than
// those that all other verbs read.
func fetched(ctx context.Context, u *ui, checkpoint *string) error {
	if !place.IsURL(*checkpoint) {
		return nil
	}
	local, err := place.StageImport(ctx, *checkpoint, func(file string, done, total int64) { u.bytes("fetch "+file, done, total) })
	if err == nil {
		*checkpoint = local
	}
	return err
}
