package tensor

// Info is what a store tells of one tensor before any of it is read. Type and
// shape have been found to fit each other: [ByteSize] of them gives no error.
type Info struct {
	Name  string
	DType DType
	Shape []int64
}

// Bytes gives the size of the tensor's data; 0 for a type and a shape that do not
// fit each other.
func (i Info) Bytes() int64 {
	n, err := ByteSize(i.DType, i.Shape)
	if err != nil {
		return 0
	}
	return n
}

// Place is where the bytes of a tensor lie as they are, so that another program
// can read them there.
type Place struct {
	// File is a path, or the URL of an object.
	File string
	// Offset and Length count bytes.
	Offset, Length int64
}

// File is a file, or an object, that tensors lie in.
type File struct {
	// Path is its path or URL.
	Path string
	// Format names how the tensors lie in it: "safetensors".
	Format string
	// Size is that of the whole file, DataStart what comes before the data of the
	// first tensor.
	Size, DataStart int64
	// HeaderSHA256 is, in hexadecimal, the SHA-256 of what names the tensors and
	// their places: two files of one value and one size differ in numbers alone.
	HeaderSHA256 string
	// Metadata are the file's own texts; nil where it has none.
	Metadata map[string]string
	// Tensors are the names of what lies in it, in the order of the data.
	Tensors []string
}
