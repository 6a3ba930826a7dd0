package htmlreport_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/pecvt/pecvt/verify/htmlreport"
	"github.com/pecvt/pecvt/verify/report"
)

// A page that stands alone, from a report of verify.Verify.
func ExampleWrite() {
	r := &report.Report{Model: "model-hope", Verdict: report.Pass}
	var page bytes.Buffer
	if err := htmlreport.Write(&page, r); err != nil {
		log.Fatal(err)
	}
	fmt.Println(bytes.Contains(page.Bytes(), []byte("</html>")), bytes.Contains(page.Bytes(), []byte("model-hope")))
	// Output: true true
}
