package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// option is one key of the file, with its tags and its value in a Config.
type option struct {
	section string // "" for the top of the file
	name    string
	tag     reflect.StructTag
	value   reflect.Value
}

// key is how the option is spoken of: "limits.stanza".
func (o option) key() string { return strings.TrimPrefix(o.section+"."+o.name, ".") }

// live says whether a reload brings a change into effect.
func (o option) live() bool { return o.tag.Get("reload") == "live" }

// options lists all options of c in the order of the file.
func options(c *Config) []option { return fields("", reflect.ValueOf(c).Elem()) }

func fields(section string, v reflect.Value) (all []option) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := f.Tag.Get("toml")
		if f.Type.Kind() == reflect.Struct {
			all = append(all, fields(name, v.Field(i))...)
			continue
		}
		all = append(all, option{section, name, f.Tag, v.Field(i)})
	}
	return all
}

// set parses s, as a tag has it, into v. It panics on what does not parse: a
// wrong tag is our own bug, which every test that makes a Config finds.
func set(v reflect.Value, s string) {
	if t, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		must(t.UnmarshalText([]byte(s)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		b, err := strconv.ParseBool(s)
		must(err)
		v.SetBool(b)
	case reflect.Int:
		n, err := strconv.Atoi(s)
		must(err)
		v.SetInt(int64(n))
	case reflect.Slice:
		if s != "" {
			v.Set(reflect.ValueOf(strings.Split(s, ", ")))
		}
	default:
		panic(fmt.Sprintf("config: no way to read %q into a %s", s, v.Type()))
	}
}

func must(err error) {
	if err != nil {
		panic("config: bad tag: " + err.Error())
	}
}

// check compares the value with the tags min, max, zero and values.
func (o option) check() error {
	if allowed := strings.Fields(o.tag.Get("values")); len(allowed) > 0 {
		return o.checkValues(allowed)
	}
	if !o.value.CanInt() || o.tag.Get("min") == "" {
		return nil
	}
	low, high := o.bound("min"), o.bound("max")
	n, zero := o.value.Int(), o.tag.Get("zero")
	switch {
	case n == 0 && zero != "", n >= low.Int() && n <= high.Int():
		return nil
	case o.value.Type() == reflect.TypeFor[Duration]() && n > 0 && n < int64(time.Millisecond):
		return fmt.Errorf("%s is a number without a unit: write it like \"%ds\"", o.key(), n)
	case zero != "":
		return fmt.Errorf("%s is %v: want %v to %v, or 0 for %s", o.key(), o.value, low, high, zero)
	default:
		return fmt.Errorf("%s is %v: want %v to %v", o.key(), o.value, low, high)
	}
}

// bound is the tag min or max as a value of the option's own type.
func (o option) bound(tag string) reflect.Value {
	v := reflect.New(o.value.Type()).Elem()
	set(v, o.tag.Get(tag))
	return v
}

// checkValues wants each string of the option among allowed.
func (o option) checkValues(allowed []string) error {
	given := []string{o.value.String()}
	if o.value.Kind() == reflect.Slice {
		given = o.value.Interface().([]string)
	}
	for _, g := range given {
		if !slices.Contains(allowed, g) {
			return fmt.Errorf("%s has %q: want %s", o.key(), g, strings.Join(allowed, ", "))
		}
	}
	return nil
}
