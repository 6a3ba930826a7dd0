package torchfile

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/types"
)

// entry is one item of the state dictionary.
type entry struct {
	name string
	view view
}

// stateDict reads a pickle and returns the tensors it names, in its order.
func stateDict(data []byte) ([]entry, error) {
	if err := scan(data); err != nil {
		return nil, err
	}
	root, err := unpickle(data)
	if err != nil {
		return nil, err
	}
	items, err := choose(root)
	if err != nil {
		return nil, err
	}
	out := make([]entry, 0, len(items))
	seen := map[string]bool{}
	for _, item := range items {
		name, ok := item.key.(string)
		if !ok {
			return nil, fmt.Errorf("the state dictionary has a key that is no string (%T)", item.key)
		}
		v, ok := item.value.(view)
		if !ok {
			return nil, fmt.Errorf("key %q of the state dictionary is no tensor (%T): save model.state_dict() alone", clip(name), item.value)
		}
		if seen[name] {
			return nil, fmt.Errorf("tensor %q occurs twice", clip(name))
		}
		if v.description != nil {
			return nil, fmt.Errorf("tensor %q: %w", clip(name), v.description)
		}
		seen[name] = true
		out = append(out, entry{name, v})
	}
	for _, prefix := range []string{"_orig_mod.", "module."} { // torch.compile and data-parallel wrappers
		trim(out, prefix)
	}
	return out, nil
}

func trim(list []entry, prefix string) {
	for _, e := range list {
		if !strings.HasPrefix(e.name, prefix) {
			return
		}
	}
	for i := range list {
		list[i].name = strings.TrimPrefix(list[i].name, prefix)
	}
}

// unpickle runs the reader with this package's globals. It was written for
// sound pickles: a damaged one makes it index past the end of something.
func unpickle(data []byte) (root any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the pickle is damaged: %s", clip(fmt.Sprint(r)))
		}
	}()
	u := pickle.NewUnpickler(bytes.NewReader(data))
	u.FindClass = findClass
	u.PersistentLoad = persistentLoad
	root, err = u.Load()
	if err != nil {
		return nil, fmt.Errorf("the pickle cannot be read: %w", err)
	}
	return root, nil
}

type item struct{ key, value any }

// items lists a dictionary's entries in order.
func items(x any) ([]item, bool) {
	var list []item
	switch d := x.(type) {
	case *types.Dict:
		for _, e := range *d {
			list = append(list, item{e.Key, e.Value})
		}
	case *types.OrderedDict:
		for e := d.List.Front(); e != nil; e = e.Next() {
			v, ok := e.Value.(*types.OrderedDictEntry)
			if !ok {
				return nil, false
			}
			list = append(list, item{v.Key, v.Value})
		}
	default:
		return nil, false
	}
	return list, true
}

// wrappers are keys under which training scripts keep the state dictionary
// beside an optimizer's and other things.
var wrappers = []string{"state_dict", "model_state_dict", "model"}

// choose finds the state dictionary: the pickle's dictionary itself if it holds
// a tensor, else the one under one of the wrappers.
func choose(root any) ([]item, error) {
	list, ok := items(root)
	if !ok {
		return nil, fmt.Errorf("the pickle holds %T: expected a dictionary of tensors; save model.state_dict()", root)
	}
	for _, w := range wrappers {
		for _, it := range list {
			if inner, ok := items(it.value); ok && it.key == any(w) && hasTensor(inner) {
				return inner, nil
			}
		}
	}
	if !hasTensor(list) {
		return nil, fmt.Errorf("the pickle's dictionary of %d keys holds no tensor, nor does one under %s", len(list), strings.Join(wrappers, ", "))
	}
	return list, nil
}

func hasTensor(list []item) bool {
	for _, it := range list {
		if _, ok := it.value.(view); ok {
			return true
		}
	}
	return false
}
