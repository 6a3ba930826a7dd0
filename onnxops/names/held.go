package names

import "strings"

// held is the name of a piece of a tensor, or of its rows and columns, that a graph
// holds in another form: the tensor's name, [rows], the mark of the form, the piece.
func held(tensor, rows, mark, piece string) string {
	if rows != "" {
		rows = "[" + rows + "]"
	}
	return tensor + rows + mark + piece
}

// heldOf reads such a name.
func heldOf(name, mark string) (tensor, rows, piece string, ok bool) {
	at := strings.LastIndex(name, mark)
	if at < 0 {
		return "", "", "", false
	}
	tensor, piece = name[:at], name[at+len(mark):]
	if at := strings.LastIndexByte(tensor, '['); at > 0 && strings.HasSuffix(tensor, "]") {
		tensor, rows = tensor[:at], tensor[at+1:len(tensor)-1]
	}
	return tensor, rows, piece, true
}
