package rewrite

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// partial is written next.
func (r *Rewrite) partial(m *family.Model) error {
	return fmt.Errorf("%w", posenc.ErrUnsupported)
}
