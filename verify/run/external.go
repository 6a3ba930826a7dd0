package run

import (
	"strconv"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// External returns where an initializer's data lie, "" for data of its own.
func External(t *onnxpb.TensorProto) (location string, offset, length int64) {
	for _, e := range t.GetExternalData() {
		switch e.GetKey() {
		case "location":
			location = e.GetValue()
		case "offset":
			offset, _ = strconv.ParseInt(e.GetValue(), 10, 64)
		case "length":
			length, _ = strconv.ParseInt(e.GetValue(), 10, 64)
		}
	}
	return location, offset, length
}
