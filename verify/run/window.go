package run

import "fmt"

func WindowText(w int) string {
	if w == 0 {
		return "no window"
	}
	return fmt.Sprintf("a window of %d", w)
}
