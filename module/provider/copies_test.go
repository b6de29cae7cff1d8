package provider

import (
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func TestReadCopies(t *testing.T) {
	for text, want := range map[string]any{
		"copies by id":      Copies{By: "id"},
		"copies by nothing": Copies{By: "nothing"},
		"copies by body {\nvolatile {json.a.b} {http.request.uri.query.c}\n}": Copies{By: "body", Volatile: []string{"{json.a.b}", "{http.request.uri.query.c}"}},
		"copies by id_and_body {\nwithout_id nothing\nvolatile {form.n}\n}":   Copies{By: "id_and_body", WithoutID: "nothing", Volatile: []string{"{form.n}"}},
		"copies":                           "copies by id|id_and_body|body|nothing",
		"copies id":                        "copies by id|id_and_body|body|nothing",
		"copies by chance":                 `"chance"`,
		"copies by id {\nwithout_id id\n}": "takes body or nothing",
		"copies by body {\nvolatile {header.X}\n}": "there are {json.<path>}",
		"copies by body {\nvolatile {json.a*}\n}":  "a*",
		"copies by body {\nunknown\n}":             "unknown subdirective",
	} {
		d := caddyfile.NewTestDispenser(text)
		d.Next()
		var got Copies
		err := got.Read(d)
		if message, fails := want.(string); fails {
			if err == nil || !strings.Contains(err.Error(), message) {
				t.Errorf("%s: error %v, want %s", text, err, message)
			}
		} else if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func TestResolveCopies(t *testing.T) {
	for _, test := range []struct {
		copies Copies
		hasID  bool
		want   string
	}{
		{Copies{}, true, "id_and_body, else body"},
		{Copies{}, false, "body, else body"},
		{Copies{By: ByID, WithoutID: ByNothing}, true, "id, else nothing"},
		{Copies{By: ByNothing}, true, "nothing, else nothing"},
	} {
		c := test.copies.Resolve(test.hasID)
		if got := c.By + ", else " + c.WithoutID; got != test.want {
			t.Errorf("%+v: by %s, want %s", test.copies, got, test.want)
		}
	}
	if (Copies{By: ByID}).Check(false) == nil || (Copies{By: ByID}).Check(true) != nil {
		t.Error("an ID that is not there is taken to tell copies")
	}
}
