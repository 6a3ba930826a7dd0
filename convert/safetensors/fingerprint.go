package safetensors

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"

	"golang.org/x/sync/errgroup"
)

// sampleBytes is how much of every tensor a fingerprint reads.
const sampleBytes = 64

// samplesAtOnce is how many tensors of a file that is elsewhere are read at a time.
const samplesAtOnce = 32

// Fingerprint tells a file from others with the same tensors without reading it
// whole: the SHA-256, in hexadecimal, of the header's SHA-256 and the first 64
// bytes of every tensor in file order. Another training run, and a fine-tuned
// model, have another fingerprint; a change deep inside a tensor does not show.
func (f *File) Fingerprint() (string, error) {
	h := sha256.New()
	if err := f.sample(h); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Fingerprint is [File.Fingerprint] over all files of the checkpoint, in their
// order. File names do not count.
func (c *Checkpoint) Fingerprint() (string, error) {
	h := sha256.New()
	for _, f := range c.files {
		if err := f.sample(h); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (f *File) sample(h hash.Hash) error {
	h.Write([]byte(f.HeaderSHA256()))
	list := f.Tensors()
	samples := make([][]byte, len(list))
	var g errgroup.Group
	g.SetLimit(1)
	if f.mapped == nil { // each may be an answer of a service
		g.SetLimit(samplesAtOnce)
	}
	for i, info := range list {
		g.Go(func() error {
			r, err := f.Section(info.Name)
			if err != nil {
				return err
			}
			n := min(info.End-info.Begin, sampleBytes)
			samples[i] = make([]byte, n)
			if _, err := r.ReadAt(samples[i], 0); err != nil && n > 0 {
				return fmt.Errorf("safetensors: %s: tensor %q: %w", f.Path, clip(info.Name), err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, s := range samples {
		h.Write(s)
	}
	return nil
}
