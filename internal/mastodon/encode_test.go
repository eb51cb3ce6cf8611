package mastodon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// What is written by hand is what encoding/json writes, whichever fields are
// set: a field that is new and forgotten here fails.
func TestEntitiesAreEncodedAsByReflection(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		share := rng.IntN(11)
		for _, answer := range []any{new(Status), new(Account), new(Notification), new([]Status), new([]Account), new([]Notification), new(map[string][]Status)} {
			v := reflect.ValueOf(answer).Elem()
			scatter(rng, v, share, 0)
			var want bytes.Buffer
			e := json.NewEncoder(&want)
			e.SetEscapeHTML(false)
			if err := e.Encode(v.Interface()); err != nil {
				t.Fatal(err)
			}
			got, ok := appendAnswer(nil, v.Interface())
			if got = append(got, '\n'); !ok || !bytes.Equal(got, want.Bytes()) {
				t.Fatalf("%T:\n%s\nby reflection:\n%s", answer, got, want.Bytes())
			}
		}
	}
}

// scatter sets share of ten of what can be set.
func scatter(rng *rand.Rand, v reflect.Value, share, depth int) {
	if depth > 0 && rng.IntN(10) >= share {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				scatter(rng, v.Field(i), share, depth+1)
			}
		}
	case reflect.Pointer:
		if depth < 6 {
			v.Set(reflect.New(v.Type().Elem()))
			scatter(rng, v.Elem(), share, depth+1)
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes([]byte(`{"focus":{"x":0.5,"y":-1}}`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), rng.IntN(3), 3))
		for i := range v.Len() {
			scatter(rng, v.Index(i), share, depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range rng.IntN(3) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			scatter(rng, key, 10, depth)
			scatter(rng, value, share, depth)
			v.SetMapIndex(key, value)
		}
	case reflect.Interface: // a status' quote
		value := []any{new(Quote), new(ShallowQuote), (*Quote)(nil)}[rng.IntN(3)]
		if in := reflect.ValueOf(value); !in.IsNil() && depth < 6 {
			scatter(rng, in.Elem(), share, depth+1)
		}
		v.Set(reflect.ValueOf(value))
	case reflect.String:
		letters := []rune("a/<>&\"\\\x00\x1f\x7f\b\f\n\r\té\u2027\u2028\u2029\ufffd😀")
		s := ""
		for range rng.IntN(8) {
			s += string(letters[rng.IntN(len(letters))])
		}
		if rng.IntN(4) == 0 {
			s += "\xff\xc3" // no UTF-8
		}
		v.SetString(s)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(rng.Int64() - rng.Int64())
	default:
		panic(fmt.Sprintf("a %s", v.Type()))
	}
}

// An account that stands in an answer often is encoded once, and looks the same.
func TestKeptAccountIsTheSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var a Account
	scatter(rng, reflect.ValueOf(&a).Elem(), 10, 0)
	kept := a.kept()
	if got, want := kept.appendJSON([]byte("x")), a.appendJSON([]byte("x")); !bytes.Equal(got, want) || kept.encoded == nil {
		t.Errorf("%s\n%s", got, want)
	}
}

func TestStamps(t *testing.T) {
	for _, at := range []time.Time{{}, time.Date(2026, 2, 3, 4, 5, 6, 7_999_999, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 999_000_000, time.FixedZone("", 3600)),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got, want := string(stampOf(at)), at.UTC().Format("2006-01-02T15:04:05.000Z"); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}
