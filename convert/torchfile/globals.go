package torchfile

import (
	"fmt"
	"math"
	"math/big"

	"github.com/nlpodyssey/gopickle/types"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// storageClass is a class of torch's storages.
type storageClass struct {
	dtype   tensor.DType
	untyped bool // counts bytes; the tensor says its type
}

// storage is a storage as the pickle refers to it.
type storage struct {
	class    storageClass
	key      string
	elements int64
}

// dtype is one of torch's types.
type dtype struct{ tensor.DType }

// view is a tensor as the pickle describes it.
type view struct {
	storage     storage
	dtype       tensor.DType
	offset      int64 // in elements
	size        []int64
	stride      []int64 // in elements
	description error   // what is wrong with it; told only where it is used
}

// function describes a call instead of making it.
type function func(args []any) (any, error)

// Call is what the pickle's REDUCE asks for.
func (f function) Call(args ...any) (any, error) { return f(args) }

var dtypes = map[string]tensor.DType{
	"float32": tensor.F32, "float64": tensor.F64, "float16": tensor.F16, "bfloat16": tensor.BF16,
	"float8_e4m3fn": tensor.F8E4M3, "float8_e5m2": tensor.F8E5M2,
	"int64": tensor.I64, "int32": tensor.I32, "int16": tensor.I16, "int8": tensor.I8,
	"uint64": tensor.U64, "uint32": tensor.U32, "uint16": tensor.U16, "uint8": tensor.U8, "bool": tensor.Bool,
}

var storages = map[string]storageClass{
	"FloatStorage": {dtype: tensor.F32}, "DoubleStorage": {dtype: tensor.F64}, "HalfStorage": {dtype: tensor.F16}, "BFloat16Storage": {dtype: tensor.BF16},
	"LongStorage": {dtype: tensor.I64}, "IntStorage": {dtype: tensor.I32}, "ShortStorage": {dtype: tensor.I16}, "CharStorage": {dtype: tensor.I8},
	"ByteStorage": {dtype: tensor.U8}, "BoolStorage": {dtype: tensor.Bool}, "UntypedStorage": {dtype: tensor.U8, untyped: true},
}

// findClass resolves a global of the pickle. The reader itself knows
// collections.OrderedDict and the bare object; all else is in this list.
func findClass(module, name string) (any, error) {
	switch module {
	case "torch", "torch.storage":
		if s, ok := storages[name]; ok {
			return s, nil
		}
		if d, ok := dtypes[name]; ok && module == "torch" {
			return dtype{d}, nil
		}
		if name == "Size" {
			return function(size), nil
		}
	case "torch._utils":
		switch name {
		case "_rebuild_tensor", "_rebuild_tensor_v2":
			return function(rebuildTensor), nil
		case "_rebuild_tensor_v3":
			return function(rebuildTensorV3), nil
		case "_rebuild_parameter":
			return function(rebuildParameter), nil
		}
	}
	return nil, fmt.Errorf("the pickle asks for %s.%s: only what rebuilds torch tensors is read, and nothing is ever run: %w; save model.state_dict() alone, or do not trust the file", clip(module), clip(name), posenc.ErrUnsupported)
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

// persistentLoad reads ("storage", class, key, location, elements).
func persistentLoad(id any) (any, error) {
	t, ok := id.(*types.Tuple)
	if !ok || t.Len() != 5 {
		return nil, fmt.Errorf("the pickle refers to something outside it that is no storage")
	}
	kind, ok1 := t.Get(0).(string)
	class, ok2 := t.Get(1).(storageClass)
	key, ok3 := t.Get(2).(string)
	n, ok4 := t.Get(4).(int)
	if !ok1 || kind != "storage" || !ok2 || !ok3 || !ok4 || n < 0 {
		return nil, fmt.Errorf("the pickle refers to a storage in a way that torch does not")
	}
	return storage{class: class, key: key, elements: int64(n)}, nil
}

// rebuildTensor is (storage, offset, size, stride, …).
func rebuildTensor(args []any) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("the pickle rebuilds a tensor from %d arguments: expected at least 4", len(args))
	}
	s, ok := args[0].(storage)
	if !ok {
		return nil, fmt.Errorf("the pickle rebuilds a tensor from what is no storage")
	}
	return makeView(s, s.class.dtype, args[1:4])
}

// rebuildTensorV3 is (storage, offset, size, stride, requires_grad, hooks,
// dtype, …).
func rebuildTensorV3(args []any) (any, error) {
	if len(args) < 7 {
		return nil, fmt.Errorf("the pickle rebuilds a tensor from %d arguments: expected at least 7", len(args))
	}
	s, ok1 := args[0].(storage)
	d, ok2 := args[6].(dtype)
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("the pickle rebuilds a tensor from what is no storage and type")
	}
	return makeView(s, d.DType, args[1:4])
}

func makeView(s storage, d tensor.DType, args []any) (any, error) {
	offset, ok := integer(args[0])
	sizes, err1 := integers(args[1])
	strides, err2 := integers(args[2])
	if !ok || err1 != nil || err2 != nil || len(sizes) != len(strides) {
		return nil, fmt.Errorf("the pickle describes a tensor by an offset, a size and strides that are no such thing")
	}
	v := view{storage: s, dtype: d, offset: offset, size: sizes, stride: strides}
	v.description = v.check()
	return v, nil
}

// check reports a view that leaves its storage.
func (v *view) check() error {
	n, err := tensor.Elements(v.size)
	if err != nil {
		return err
	}
	width, stored := int64(v.dtype.Size()), int64(v.storage.class.dtype.Size())
	if !v.storage.class.untyped && v.dtype != v.storage.class.dtype {
		return fmt.Errorf("a tensor of %s over a storage of %s", v.dtype, v.storage.class.dtype)
	}
	if v.storage.elements > math.MaxInt64/stored {
		return fmt.Errorf("a storage of %d elements", v.storage.elements)
	}
	if v.offset < 0 {
		return fmt.Errorf("shape %v at offset %d: expected none below 0", v.size, v.offset)
	}
	last := v.offset
	for i, s := range v.size {
		if v.stride[i] < 0 {
			return fmt.Errorf("strides %v: expected none below 0", v.stride)
		}
		if s > 0 && v.stride[i] > 0 && s-1 > (math.MaxInt64-last)/v.stride[i] {
			return fmt.Errorf("shape %v with strides %v: larger than any file", v.size, v.stride)
		}
		last += max(s-1, 0) * v.stride[i]
	}
	room := v.storage.elements * stored / width
	if n > 0 && last >= room {
		return fmt.Errorf("shape %v with strides %v at offset %d: the storage has %d elements", v.size, v.stride, v.offset, room)
	}
	if n > room {
		return fmt.Errorf("shape %v over a storage of %d elements: repeated elements are %w", v.size, room, posenc.ErrUnsupported)
	}
	return nil
}

// rebuildParameter is (tensor, requires_grad, hooks).
func rebuildParameter(args []any) (any, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("the pickle rebuilds a parameter from nothing")
	}
	v, ok := args[0].(view)
	if !ok {
		return nil, fmt.Errorf("the pickle rebuilds a parameter from what is no tensor")
	}
	return v, nil
}

// size is torch.Size of a tuple.
func size(args []any) (any, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("the pickle makes a torch.Size of %d arguments: expected 1", len(args))
	}
	return args[0], nil
}

func integer(x any) (int64, bool) {
	switch v := x.(type) {
	case int:
		return int64(v), true
	case *big.Int:
		return v.Int64(), v.IsInt64()
	}
	return 0, false
}

func integers(x any) ([]int64, error) {
	t, ok := x.(*types.Tuple)
	if !ok || t.Len() > 64 {
		return nil, fmt.Errorf("not a tuple of integers")
	}
	out := make([]int64, t.Len())
	for i := range out {
		v, ok := integer(t.Get(i))
		if !ok {
			return nil, fmt.Errorf("not a tuple of integers")
		}
		out[i] = v
	}
	return out, nil
}
