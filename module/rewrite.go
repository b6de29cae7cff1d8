package module

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"runtime"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// RewriteBody makes another body for the app. The stored event keeps its own.
type RewriteBody struct {
	// The expression for the body. A text is the body as it is, any other value is
	// written as JSON.
	Expression string `json:"expression,omitempty"`

	// The media type of the body. Default: that of JSON or XML if the body is such,
	// else text/plain.
	ContentType string `json:"content_type,omitempty"`

	content *rules.Content
	handler *Handler
}

// RewrittenBody is a body that a route makes of a webhook.
type RewrittenBody struct {
	Content     []byte
	ContentType string
}

func (b *RewriteBody) compile() (err error) {
	if b == nil {
		return nil
	}
	if b.ContentType != "" && !isMediaType(b.ContentType) {
		return fmt.Errorf("rewrite_body: %q is not a media type such as text/plain; put the whole expression in backticks", b.ContentType)
	}
	if b.content, err = rules.CompileContent(b.Expression); err != nil {
		return fmt.Errorf("rewrite_body: %v", err)
	}
	return nil
}

func isMediaType(text string) bool {
	_, _, err := mime.ParseMediaType(text)
	return err == nil && strings.Contains(text, "/") && headerValue(text) == text
}

// of makes the body of a webhook.
func (b *RewriteBody) of(view *rules.View) (*RewrittenBody, error) {
	content, isText, err := b.content.Write(view)
	if err != nil {
		return nil, fmt.Errorf("rewrite_body: %w", err)
	}
	media := b.ContentType
	switch {
	case media != "":
	case isText:
		media = typeOfText(content)
	default:
		media = jsonText
	}
	return &RewrittenBody{content, media}, nil
}

// maxSniffed is how long a text may be that is parsed to find out whether it is XML,
// which takes long.
const maxSniffed = 64 << 10

// typeOfText returns the media type of a text.
func typeOfText(text []byte) string {
	start := strings.TrimSpace(string(text[:min(len(text), 1<<10)]))
	if len(text) > maxSniffed && strings.HasPrefix(start, "<") {
		return map[bool]string{true: xmlText, false: plainText}[strings.HasPrefix(start, "<?xml")]
	}
	return contentTypeOf(string(text))
}

// making limits how much is made of webhooks at once: that takes processor and memory,
// and a route may have many attempts at once.
var making = make(chan struct{}, runtime.GOMAXPROCS(0))

// makingAtOnce waits until not too much is made at once, and makes something.
func makingAtOnce(ctx context.Context, do func()) error {
	select {
	case making <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-making }()
	do()
	return nil
}

// from makes the body of a stored event.
func (b *RewriteBody) from(ctx context.Context, e *queue.Event) (body *RewrittenBody, err error) {
	interrupted := makingAtOnce(ctx, func() {
		view := b.handler.storedView(e)
		defer view.Free()
		if body, err = b.of(view); err != nil {
			err = unsendable{err}
		}
	})
	return body, cmp.Or(interrupted, err)
}

// ofContent are the headers that say something about the bytes of a body, and would be
// wrong about others.
var ofContent = []string{"Content-Encoding", "Content-Transfer-Encoding", "Content-Range", "Content-Md5", "Content-Digest",
	"Repr-Digest", "Unencoded-Digest", "Digest", "Etag"}

// put makes the body that of an event.
func (b *RewrittenBody) put(e *queue.Event) {
	for _, name := range ofContent {
		delete(e.Request.Header, name)
	}
	e.Request.Header["Content-Type"] = []string{b.ContentType}
	e.Request.Body = b.Content
}

// sent returns the event as the app gets it, and the context of the attempt. Where the
// route makes something of the stored event, that stays as it is.
func (r *Route) sent(ctx context.Context, e *queue.Event) (*queue.Event, context.Context, error) {
	if r.RewriteBody == nil && r.placeholders == nil {
		return e, ctx, nil
	}
	sent, request := *e, *e.Request
	if request.Header = maps.Clone(request.Header); request.Header == nil {
		request.Header = make(http.Header)
	}
	sent.Request = &request
	if r.placeholders != nil {
		ctx = context.WithValue(ctx, eventKey{}, e)
	}
	if r.RewriteBody == nil {
		return &sent, ctx, nil
	}
	body, err := r.RewriteBody.from(ctx, e)
	if err == nil {
		body.put(&sent)
	}
	return &sent, ctx, err
}

// readRewriteBody reads a line:
//
//	rewrite_body <expression> [<type>]
func readRewriteBody(d *caddyfile.Dispenser, r *Route) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	r.RewriteBody = &RewriteBody{Expression: d.Val()}
	if d.NextArg() {
		r.RewriteBody.ContentType = cmp.Or(d.Val(), " ")
	}
	if err := syntax.At(d, r.RewriteBody.compile()); err != nil {
		return err
	}
	return syntax.End(d)
}
