package posenc

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParseDecimal reads a finite number in decimal notation, such as 4, 0.5 or
// 1e-3. Hexadecimal spellings, infinities and NaN are errors.
func ParseDecimal(s string) (float64, error) {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || strings.ContainsAny(s, "xX_") || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, fmt.Errorf("%q: expected a number in decimal notation", s)
	}
	return x, nil
}
