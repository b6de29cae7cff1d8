package module

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

func TestResponse(t *testing.T) {
	t.Setenv("ANSWER_NAME", "acme")
	for _, tt := range []struct{ body, contentType, wantType, want string }{
		{"", "", "", ""},
		{"got it", "", plainText, "got it"},
		{"<Response/>", "", xmlText, "<Response/>"},
		{`<?xml version="1.0"?><Response><Message>a</Message></Response>`, "", xmlText, `<?xml version="1.0"?><Response><Message>a</Message></Response>`},
		{"<Response>", "", plainText, "<Response>"},
		{"<3", "", plainText, "<3"},
		{`{"ok":true}`, "", jsonText, `{"ok":true}`},
		{`["a"]`, "", jsonText, `["a"]`},
		{`[accepted]`, "", plainText, `[accepted]`},
		{`42`, "", plainText, `42`},
		{`{"ok":true}`, "application/vnd.acme+json", "application/vnd.acme+json", `{"ok":true}`},
		{`{"a":{"b":"{http.request.header.X-Id}"}}`, "", jsonText, `{"a":{"b":"7\"\u003c"}}`},
		{`<r id="{http.request.header.X-Id}"/>`, "", xmlText, `<r id="7&#34;&lt;"/>`},
		{`{http.request.header.X-Id}`, "", plainText, `7"<`},
		{`{http.request.header.X-Id}`, "text/html", "text/html", `7&#34;&lt;`},
		{`{env.ANSWER_NAME} {http.request.header.Absent}.`, "", plainText, `acme .`},
		{`{"n":{http.request.header.X-Number}}`, "", jsonText, `{"n":12}`},
		{`{unknown.name} {x}`, "", plainText, `{unknown.name} {x}`},
	} {
		a := &Response{Body: tt.body, ContentType: tt.contentType}
		a.provision()
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("X-Id", `7"<`)
		r.Header.Set("X-Number", "12")
		repl := caddy.NewReplacer()
		repl.Map(func(key string) (any, bool) {
			const header = "http.request.header."
			if len(key) < len(header) || key[:len(header)] != header {
				return nil, false
			}
			return r.Header.Get(key[len(header):]), true
		})
		w := httptest.NewRecorder()
		a.write(w, r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, repl)))
		if got := w.Header().Get("Content-Type"); w.Code != 200 || w.Body.String() != tt.want || got != tt.wantType {
			t.Errorf("%s as %q answers %d %s as %q; want %s as %q", tt.body, tt.contentType, w.Code, w.Body, got, tt.want, tt.wantType)
		}
	}
}
