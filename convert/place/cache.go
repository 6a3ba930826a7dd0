package place

import (
	"container/list"
	"sync"
)

const (
	// blockBytes is a piece of a file that is read from front to back, maxBlocks how
	// many of them a folder keeps, maxAhead how many are fetched before they are asked
	// for.
	blockBytes = 4 << 20
	maxBlocks  = 12
	maxAhead   = 6
)

// cache keeps the pieces of files that were read last, or will be next.
type cache struct {
	mu    sync.Mutex
	of    map[blockKey]*list.Element
	order list.List // of *block, the one that was used last in front
}

type blockKey struct {
	name  string
	index int64
}

// block is a piece; data and err are set when done is closed.
type block struct {
	key  blockKey
	done chan struct{}
	data []byte
	err  error
}

// get gives a piece, and has so many behind it fetched.
func (c *cache) get(a *away, index int64, ahead int) ([]byte, error) {
	c.mu.Lock()
	b := c.start(a, index, true)
	for i := range int64(ahead) {
		if next := index + 1 + i; next*blockBytes < a.entry.Size {
			c.start(a, next, false)
		}
	}
	c.mu.Unlock()
	<-b.done
	if b.err != nil {
		c.drop(b)
		return nil, b.err
	}
	return b.data, nil
}

// start finds a piece or begins to fetch it. Where all that are kept are under way, one
// more is begun only if it is wanted now.
func (c *cache) start(a *away, index int64, now bool) *block {
	key := blockKey{a.entry.Name, index}
	if e := c.of[key]; e != nil {
		if now {
			c.order.MoveToFront(e)
		}
		return e.Value.(*block)
	}
	if !c.room() && !now {
		return nil
	}
	b := &block{key: key, done: make(chan struct{})}
	if c.of == nil {
		c.of = map[blockKey]*list.Element{}
	}
	c.of[key] = c.order.PushFront(b)
	go func() {
		defer close(b.done)
		data := make([]byte, min(blockBytes, a.entry.Size-index*blockBytes))
		if b.err = a.folder.fetch(a.folder.ctx, a.entry, data, index*blockBytes); b.err == nil {
			b.data = data
		}
	}()
	return b
}

// room lets pieces go that were not used for longest, and tells whether there is room
// for one more.
func (c *cache) room() bool {
	for e := c.order.Back(); e != nil && c.order.Len() >= maxBlocks; {
		b, before := e.Value.(*block), e.Prev()
		select {
		case <-b.done:
			c.order.Remove(e)
			delete(c.of, b.key)
		default:
		}
		e = before
	}
	return c.order.Len() < maxBlocks
}

// drop forgets a piece that could not be fetched.
func (c *cache) drop(b *block) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.of[b.key]; e != nil && e.Value == b {
		c.order.Remove(e)
		delete(c.of, b.key)
	}
}
