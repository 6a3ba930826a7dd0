package evidence

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family/config"
	"github.com/pecvt/pecvt/posenc"
)

// parts are the keys under which configurations of models of several kinds keep
// the one of their language model.
var parts = []string{"text_config", "llm_config", "language_config", "text_model_config", "language_model_config", "thinker_config", "llm", "decoder"}

// Wrapper refuses a configuration that holds the one of a language model inside,
// as models of vision and sound do, and names it as what it is; nil where it is
// none. Find gives an error for a model_type that is not read.
func Wrapper(c *config.Config, find func(modelType string) error) error {
	for _, key := range parts {
		if !c.Has(key) {
			continue
		}
		inner, err := c.Object.Object(key)
		if err != nil || inner == nil || key != "text_config" && !hasAny(inner, "model_type", "hidden_size", "num_hidden_layers", "vocab_size", "text_config") {
			continue
		}
		if deeper, err := inner.Object("text_config"); err == nil && deeper != nil {
			key, inner = key+".text_config", deeper
		}
		outer, _, _ := c.Text("model_type")
		text := fmt.Sprintf("model_type %q is a wrapper: its language model is %s", outer, key)
		kind, ok, err := inner.Text("model_type")
		if err != nil || !ok {
			return fmt.Errorf("%s, which names no model_type: %w; save the language model as a checkpoint of its own, with a config.json that says its model_type", text, posenc.ErrUnsupported)
		}
		if err := find(kind); err != nil {
			return fmt.Errorf("%s, and there %w", text, err)
		}
		return fmt.Errorf("%s of model_type %q, which pecvt reads by itself: %w; save it as a checkpoint of its own: %s as config.json and its tensors under the names of %s (in transformers: m = AutoModelForImageTextToText.from_pretrained(DIR), then a %s model of m.config.get_text_config() with the language model's weights, save_pretrained)", text, kind, posenc.ErrUnsupported, key, kind, kind)
	}
	return nil
}

func hasAny(o *config.Object, keys ...string) bool {
	for _, key := range keys {
		if o.Has(key) {
			return true
		}
	}
	return false
}
