package evidence

import (
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/posenc"
)

const adapterConfig = "adapter_config.json"

// Adapter refuses a folder with the configuration of an adapter (peft): alone it
// is a part of a model, and beside a base transformers attaches it where peft is
// installed, while others compute the base alone.
func Adapter(s store.Store) error {
	raw, err := fs.ReadFile(s.FS(), adapterConfig)
	if err != nil {
		return attachedAdapter(s)
	}
	var a struct {
		Base string `json:"base_model_name_or_path"`
		Kind string `json:"peft_type"`
	}
	base, kind := "its base", "an adapter"
	if json.Unmarshal(raw, &a) == nil {
		if a.Base != "" {
			base = "its base, " + a.Base + ","
		}
		if a.Kind != "" {
			kind = "an adapter (" + a.Kind + ")"
		}
	}
	alone := true
	for _, f := range s.Files() {
		for _, name := range f.Tensors {
			alone = alone && isAdapter(name)
		}
	}
	merge := "merge_and_unload() in peft, then save_pretrained() into a folder of its own"
	if alone {
		return fmt.Errorf("%s: %s says that this is %s: it holds no model by itself: %w; merge it into %s first (%s)", s.Root(), adapterConfig, kind, posenc.ErrUnsupported, base, merge)
	}
	return fmt.Errorf("%s: %s stands beside the model, so this is a base with %s: transformers attaches it where peft is installed, others compute the base alone: %w; merge it first (%s), or move %s and adapter_model.* away if the base alone is meant", s.Root(), adapterConfig, kind, posenc.ErrUnsupported, merge, adapterConfig)
}

// attachedAdapter refuses tensors of an adapter where nothing beside them says that
// it is one: stock loaders pass over them, and compute a base without it or with
// new random weights.
func attachedAdapter(s store.Store) error {
	for _, name := range s.Names() {
		if attached.MatchString(name) {
			return fmt.Errorf("%s: tensor %q belongs to an adapter (peft) that is not merged, and without %s nothing tells its scale: %w; merge it (merge_and_unload() in peft, then save_pretrained()), or save the base without such tensors if that alone is meant", store.Where(s, name), name, adapterConfig, posenc.ErrUnsupported)
		}
	}
	return nil
}

// Files warns of what stands beside the tensors and makes another use of them than
// the logits of the next token.
func Files(files fs.FS) []string {
	var list []string
	if Beside(files, "modules.json") {
		list = append(list, "modules.json beside the model makes it an embedding model (sentence-transformers): what is computed here are logits and, at most, the hidden states that such programs pool")
	}
	if Beside(files, "config_sentence_transformers.json") && list == nil {
		list = append(list, "config_sentence_transformers.json beside the model makes it an embedding model: what is computed here are logits")
	}
	return list
}
