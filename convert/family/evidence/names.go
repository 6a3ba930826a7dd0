package evidence

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/store"
)

// origins say where a prefix of tensor names comes from and how it goes.
var origins = []struct{ prefix, why string }{
	{"_orig_mod.", "torch.compile writes it: save model._orig_mod instead"},
	{"module.", "data-parallel training writes it: save model.module instead"},
	{"base_model.model.", "peft writes it: merge the adapter (merge_and_unload) and save the base"},
	{"model.language_model.", "the text part of a model of vision or sound is named so: save it as a model of its own, or rename the tensors"},
	{"language_model.", "the text part of a model of vision or sound is named so: save it as a model of its own, or rename the tensors"},
	{"text_model.", "the text part of a model of vision or sound is named so: save it as a model of its own, or rename the tensors"},
	{"thinker.", "the text part of a model of sound is named so: save it as a model of its own, or rename the tensors"},
}

// Prefix looks for a tensor under other prefixes than the one it should have: it
// says which one was found and what to do, "" where none was. Wanted is the name
// without that prefix.
func Prefix(s store.Reader, names []string, prefix, wanted string) string {
	for _, name := range names {
		other, ok := strings.CutSuffix(name, wanted)
		if !ok || other == prefix || other != "" && !strings.HasSuffix(other, ".") {
			continue
		}
		text := fmt.Sprintf("the tensors are named %q where %q is expected (%q is there, %q is not)", other+"…", prefix+"…", name, prefix+wanted)
		for _, o := range origins {
			if strings.HasPrefix(other, o.prefix) {
				return text + "; " + o.why
			}
		}
		return text + "; rename them, or use the checkpoint with the model_type that it is of"
	}
	return ""
}
