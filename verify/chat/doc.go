// Package chat turns messages into a prompt by a model's chat template: Jinja, as
// transformers renders it (apply_chat_template).
//
// Templates are rendered by github.com/ardanlabs/jinja. White space is settled before
// that, by Jinja's own rules with transformers' settings (trim_blocks, lstrip_blocks),
// because the library, in v1.8.0, loses a space behind an expression that follows a
// -%} directly. What the library does not know is an error that names it. Two things
// differ from Jinja and give no error: None prints as nothing, and a key of what is not
// there is nothing where Jinja fails; a template that reads messages of a role and a
// text meets neither.
package chat
