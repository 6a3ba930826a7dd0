// Package config reads config.json: an object that keeps the order of its keys and
// the spelling of its values, and typed reads of it that keep the first error, so
// that a family's file reads like a list of facts.
package config
