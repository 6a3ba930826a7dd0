package verify

// made is what checks of a session share once it is made.
type made struct {
	rows     *rows  // of the batches
	profiles string // the folder of ONNX Runtime's profiles
}
