package tensor_test

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/tensor"
)

// Eight bits of mantissa: bfloat16 holds whole numbers to 256.
func ExampleEncode32() {
	raw := make([]byte, 6)
	err := tensor.Encode32(raw, []float32{256, 257, 258}, tensor.BF16)
	back := make([]float64, 3)
	if err == nil {
		err = tensor.Decode64(back, raw, tensor.BF16)
	}
	fmt.Println(back, err)
	// Output: [256 256 258] <nil>
}
