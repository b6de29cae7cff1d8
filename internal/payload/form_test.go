package payload

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

const boundaryB = MultipartType + "; boundary=b"

func part(disposition, value string) string {
	return "--b\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + value + "\r\n"
}

func TestForm(t *testing.T) {
	for _, tt := range []struct {
		contentType, body string
		want              Fields
		err               string
	}{
		{FormType, "a=1&b=x%20y&&a=2&empty&=x", Fields{{"a", "1", ""}, {"b", "x y", ""}, {"a", "2", ""}, {"empty", "", ""}, {"", "x", ""}}, ""},
		{"Application/X-WWW-Form-urlencoded ; charset=utf-8", "a=1", Fields{{"a", "1", ""}}, ""},
		{FormType, "", nil, ""},
		{FormType, "a=1;b=2", nil, "not a valid form: invalid semicolon"},
		{FormType, "a=1&b=%zz", nil, "not a valid form: invalid URL escape"},
		{FormType, ` {"a":1}`, nil, ErrMislabelled.Error()},
		{FormType, nested("[", "]", MaxDepth), nil, ErrMislabelled.Error()},
		{FormType, `{"a":1`, Fields{{`{"a":1`, "", ""}}, ""},
		{FormType, strings.Repeat("&", MaxFields-1), nil, ""},
		{FormType, strings.Repeat("&", MaxFields), nil, "more than 10000 fields"},
		{"application/json", "a=1", nil, ""},
		{"", "a=1", nil, ""},
		{boundaryB, part(`name=a`, "1") + part(`name=f; filename=x.pdf`, "%PDF") + part(`name=""`, "2") + part(`name=a`, "") + "--b--",
			Fields{{"a", "1", ""}, {"f", "", "x.pdf"}, {"a", "", ""}}, ""},
		{MultipartType, "--b--", nil, "no boundary"},
		{boundaryB, part(`name=a`, "1"), nil, "not a valid form"},
		{boundaryB, strings.Repeat(part("", ""), MaxParts) + "--b--", nil, ""},
		{boundaryB, strings.Repeat(part("", ""), MaxParts+1) + "--b--", nil, "more than 1000 parts"},
	} {
		got, err := Form(tt.contentType, []byte(tt.body))
		if !slices.Equal(got, tt.want) || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%.60q as %q: %v, %v", tt.body, tt.contentType, got, err)
		}
	}
	if _, err := Form(FormType, []byte("[]")); !errors.Is(err, ErrMislabelled) {
		t.Errorf("a list is a form: %v", err)
	}
}

func TestOnly(t *testing.T) {
	fields, err := Query("a=1&b=2&a=3&c")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"b": "2", "c": "", "absent": ""} {
		if got, err := fields.Only(name); got != want || err != nil {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
	if got, err := fields.Only("a"); got != "" || !errors.Is(err, ErrAmbiguous) {
		t.Errorf("a is %q, %v", got, err)
	}
	file, _ := Form(boundaryB, []byte(part("name=a; filename=x", "1")+part("name=a", "2")+"--b--"))
	if got, err := file.Only("a"); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("beside a file, a is %q, %v", got, err)
	}
}

func TestMediaType(t *testing.T) {
	for contentType, want := range map[string]string{"": "", " Text/Plain ;x": "text/plain", "application/json": "application/json", ";": ""} {
		if got := MediaType(contentType); got != want {
			t.Errorf("%q is %q", contentType, got)
		}
	}
}

// FuzzForm reads anything as a form of either kind. What is read is what net/http
// reads.
func FuzzForm(f *testing.F) {
	first := part(`name="a"`, "1")
	f.Add("application/x-www-form-urlencoded", "a=1&%61=2&b=%20")
	f.Add("application/x-www-form-urlencoded", "a=%zz;")
	f.Add(boundaryB, first+first+"--b--")
	f.Add("multipart/form-data; boundary=\"b\"", part("name=a; filename*=utf-8''%61", "1")+"--b--")
	f.Add(boundaryB, "--b\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=41\r\n--b--")
	f.Add("application/json", `{"a":[{}]}`)
	f.Fuzz(func(t *testing.T, contentType, body string) {
		fields, err := Form(contentType, []byte(body))
		if err != nil {
			return
		}
		r := &http.Request{Method: "POST", Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(strings.NewReader(body))}
		if err := r.ParseMultipartForm(1 << 20); err != nil && !errors.Is(err, http.ErrNotMultipart) {
			return // of two readers one may be stricter
		}
		for name, want := range r.PostForm {
			var got []string
			for _, field := range fields {
				if field.Name == name && field.File == "" {
					got = append(got, field.Value)
				}
			}
			isFile := r.MultipartForm != nil && r.MultipartForm.File[name] != nil
			if !slices.Equal(got, want) && name != "" && !isFile {
				t.Errorf("%q of %q, declared as %q, is %q, want %q", name, body, contentType, got, want)
			}
			if value, err := fields.Only(name); len(want) == 1 && name != "" && !isFile && (value != want[0] || err != nil) || len(want) > 1 && name != "" && err == nil {
				t.Errorf("%q of %q, strictly, is %q, %v", name, body, value, err)
			}
		}
	})
}

// FuzzPairs reads anything as a query. What is read is what net/url reads.
func FuzzPairs(f *testing.F) {
	for _, text := range []string{"", "&", "a=1&a=2", "a=%zz&b=%20+", "a;b=1&c", "=x&%3d=%26", "a=b=c"} {
		f.Add(text, "a", "x y")
	}
	f.Fuzz(func(t *testing.T, text, name, value string) {
		want, wantErr := url.ParseQuery(text)
		got := make(url.Values)
		var raw []string
		for pair, err := range Pairs(text) {
			raw = append(raw, pair.Raw)
			if err == nil && pair.Raw != "" {
				got[pair.Name] = append(got[pair.Name], pair.Value)
			}
		}
		if len(got) != len(want) || got.Encode() != want.Encode() {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
		if strings.Join(raw, "&") != text {
			t.Errorf("%q has the pairs %q", text, raw)
		}
		fields, err := Query(text)
		if (err == nil) != (wantErr == nil) && strings.Count(text, "&") < MaxFields {
			t.Errorf("%q: %v, want %v", text, err, wantErr)
		}
		if only, onlyErr := fields.Only(name); err == nil && (onlyErr == nil) != (len(want[name]) < 2) || only != "" && only != want.Get(name) {
			t.Errorf("%q of %q, strictly, is %q, %v", name, text, only, onlyErr)
		}
		checkSetPair(t, text, name, value)
	})
}

func checkSetPair(t *testing.T, text, name, value string) {
	t.Helper()
	set := SetPair(text, name, value)
	found := 0
	for pair, err := range Pairs(set) {
		if pair.Name == name && pair.Raw != "" {
			if found++; pair.Value != value || err != nil {
				t.Errorf("%q of %q is %q, %v, want %q", name, set, pair.Value, err, value)
			}
		}
	}
	if found != 1 || DropPair(set, name) != DropPair(text, name) && name != "" {
		t.Errorf("%q in %q: %q, and %q without it", name, text, set, DropPair(set, name))
	}
}
