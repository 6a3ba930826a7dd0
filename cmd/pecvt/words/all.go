package words

import "reflect"

// All says every text that v, a pointer, reaches through exported fields, lists
// and pointers.
func All(v any) { all(reflect.ValueOf(v)) }

func all(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			all(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				all(v.Field(i))
			}
		}
	case reflect.Slice, reflect.Array:
		switch v.Type().Elem().Kind() {
		case reflect.Pointer, reflect.Interface, reflect.Struct, reflect.Slice, reflect.Array, reflect.String, reflect.Map:
			for i := range v.Len() {
				all(v.Index(i))
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			if e := v.MapIndex(k); e.Kind() == reflect.String {
				v.SetMapIndex(k, reflect.ValueOf(Say(e.String())).Convert(e.Type()))
			} else {
				all(e)
			}
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(Say(v.String()))
		}
	}
}
