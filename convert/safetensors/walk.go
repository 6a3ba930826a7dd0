package safetensors

// walkPiece is what Walk hands out at a time: a multiple of every element's
// size, and large enough for the cost of giving its pages back not to show.
const walkPiece = 4 << 20

// Walk calls visit for the data of a tensor piece by piece, in order, with the
// offset of each piece; pieces hold whole elements, and their bytes are read-only
// and may only be used during the call. Resident memory stays at one piece
// whatever the tensor's size: mapped pages are given back as the walk goes on. An
// error of visit ends the walk and is returned as it is.
func (f *File) Walk(name string, visit func(offset int64, piece []byte) error) error {
	info, ok := f.Lookup(name)
	if !ok {
		return f.noTensor(name)
	}
	begin, size := f.dataStart+info.Begin, info.Bytes()
	var buf []byte
	if f.mapped == nil {
		buf = make([]byte, min(walkPiece, size))
	}
	for at := int64(0); at < size; at += walkPiece {
		n := min(walkPiece, size-at)
		piece := buf[:min(n, int64(len(buf)))]
		if f.mapped != nil {
			piece = f.mapped.Data()[begin+at : begin+at+n : begin+at+n]
		} else if err := f.readAt(piece, begin+at); err != nil {
			return err
		}
		err := visit(at, piece)
		if f.mapped != nil {
			f.mapped.Release(begin+at, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
