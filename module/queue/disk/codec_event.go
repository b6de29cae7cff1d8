package disk

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// The fields of the messages that are stored. A number is never used again for another
// field. Code that does not know a number skips the field.
const (
	eventID         protowire.Number = 1
	eventSource     protowire.Number = 2
	eventProvider   protowire.Number = 3
	eventType       protowire.Number = 4
	eventDeliveryID protowire.Number = 5
	eventReceivedAt protowire.Number = 6
	eventState      protowire.Number = 7
	eventSize       protowire.Number = 8
	eventDedup      protowire.Number = 9
	eventCheck      protowire.Number = 10
	eventDelivery   protowire.Number = 11 // repeated
	eventCopies     protowire.Number = 12
	eventTenant     protowire.Number = 13
	eventPart       protowire.Number = 14

	partNumber  protowire.Number = 1
	partOf      protowire.Number = 2
	partStart   protowire.Number = 3
	partEnd     protowire.Number = 4
	partEncoded protowire.Number = 5

	dedupKeyHash protowire.Number = 1
	dedupUntil   protowire.Number = 3 // 2 was another hash of the body
	dedupBody    protowire.Number = 4

	copiesCount protowire.Number = 1
	copiesLast  protowire.Number = 2 // repeated

	checkDue    protowire.Number = 1
	checkCalls  protowire.Number = 2
	checkSent   protowire.Number = 3
	checkEnded  protowire.Number = 4
	checkReason protowire.Number = 5

	deliveryRoute    protowire.Number = 1
	deliveryState    protowire.Number = 2
	deliveryQueued   protowire.Number = 3
	deliveryDue      protowire.Number = 4
	deliveryEnded    protowire.Number = 5
	deliveryAttempts protowire.Number = 6
	deliveryStatus   protowire.Number = 7
	deliveryReason   protowire.Number = 8
	deliveryLog      protowire.Number = 9 // repeated
	deliveryKey      protowire.Number = 10
	deliveryHolds    protowire.Number = 11
	deliveryReplays  protowire.Number = 12
	deliveryReplayed protowire.Number = 13
	deliveryFrom     protowire.Number = 14

	attemptAt      protowire.Number = 1
	attemptTook    protowire.Number = 2
	attemptStatus  protowire.Number = 3
	attemptReason  protowire.Number = 4
	attemptOutcome protowire.Number = 5

	requestMethod     protowire.Number = 1
	requestHost       protowire.Number = 2
	requestURI        protowire.Number = 3
	requestProto      protowire.Number = 4
	requestRemoteAddr protowire.Number = 5
	requestClientIP   protowire.Number = 6
	requestTLS        protowire.Number = 7
	requestHeader     protowire.Number = 8
	requestBody       protowire.Number = 9
	requestSecret     protowire.Number = 10 // repeated
	requestPublicURL  protowire.Number = 11

	headerField protowire.Number = 1 // repeated

	fieldName  protowire.Number = 1
	fieldValue protowire.Number = 2 // repeated
)

func appendEvent(b []byte, e *queue.Event) []byte {
	b = appendBytes(b, eventID, e.ID[:])
	b = appendString(b, eventSource, e.Source)
	b = appendString(b, eventProvider, e.Provider)
	b = appendString(b, eventType, e.Type)
	b = appendString(b, eventDeliveryID, e.DeliveryID)
	b = appendTimestamp(b, eventReceivedAt, e.ReceivedAt)
	b = appendString(b, eventState, string(e.State))
	b = appendInt(b, eventSize, e.Size)
	var start int
	if e.Dedup != (queue.Dedup{}) {
		b, start = openMessage(b, eventDedup)
		b = appendBytes(b, dedupKeyHash, e.Dedup.Key[:])
		if e.Dedup.Body != (queue.BodyDigest{}) {
			b = appendBytes(b, dedupBody, e.Dedup.Body[:])
		}
		b = closeMessage(appendTimestamp(b, dedupUntil, e.Dedup.Until), start)
	}
	if e.Check != (queue.Check{}) {
		b, start = openMessage(b, eventCheck)
		b = closeMessage(appendCheck(b, &e.Check), start)
	}
	if e.Copies.Count != 0 || e.Copies.Last != nil {
		b, start = openMessage(b, eventCopies)
		b = closeMessage(appendCopies(b, &e.Copies), start)
	}
	b = appendString(b, eventTenant, e.Tenant)
	if e.Part != (queue.Part{}) {
		b, start = openMessage(b, eventPart)
		b = closeMessage(appendPart(b, &e.Part), start)
	}
	for i := range e.Deliveries {
		b, start = openMessage(b, eventDelivery)
		b = closeMessage(appendDelivery(b, &e.Deliveries[i]), start)
	}
	return b
}

func appendCopies(b []byte, c *queue.Copies) []byte {
	b = appendInt(b, copiesCount, int64(c.Count))
	for _, at := range c.Last {
		b = appendFixed(b, copiesLast, uint64(nanoseconds(at)))
	}
	return b
}

func appendCheck(b []byte, c *queue.Check) []byte {
	b = appendTimestamp(b, checkDue, c.Due)
	b = appendInt(b, checkCalls, int64(c.Calls))
	b = appendBool(b, checkSent, c.Sent)
	b = appendTimestamp(b, checkEnded, c.Ended)
	return appendString(b, checkReason, c.Reason)
}

func appendDelivery(b []byte, d *queue.Delivery) []byte {
	b = appendString(b, deliveryRoute, d.Route)
	b = appendString(b, deliveryState, string(d.State))
	b = appendTimestamp(b, deliveryQueued, d.Queued)
	b = appendTimestamp(b, deliveryDue, d.Due)
	b = appendTimestamp(b, deliveryEnded, d.Ended)
	b = appendInt(b, deliveryAttempts, int64(d.Attempts))
	b = appendInt(b, deliveryStatus, int64(d.Status))
	b = appendString(b, deliveryReason, d.Reason)
	for i := range d.Log {
		var start int
		b, start = openMessage(b, deliveryLog)
		b = closeMessage(appendAttempt(b, &d.Log[i]), start)
	}
	b = appendString(b, deliveryKey, d.Key)
	b = appendBool(b, deliveryHolds, d.Holds)
	b = appendInt(b, deliveryReplays, int64(d.Replays))
	b = appendTimestamp(b, deliveryReplayed, d.Replayed)
	return appendString(b, deliveryFrom, d.From)
}

func appendAttempt(b []byte, a *queue.Attempt) []byte {
	b = appendTimestamp(b, attemptAt, a.At)
	b = appendInt(b, attemptTook, int64(a.Took))
	b = appendInt(b, attemptStatus, int64(a.Status))
	b = appendString(b, attemptReason, a.Reason)
	return appendString(b, attemptOutcome, string(a.Outcome))
}

// appendRequest puts the body last: the fields before it are small.
func appendRequest(b []byte, r *queue.Request) []byte {
	b = appendString(b, requestMethod, r.Method)
	b = appendString(b, requestHost, r.Host)
	b = appendString(b, requestURI, r.URI)
	b = appendString(b, requestProto, r.Proto)
	b = appendString(b, requestRemoteAddr, r.RemoteAddr)
	b = appendString(b, requestClientIP, r.ClientIP)
	b = appendBool(b, requestTLS, r.TLS)
	if r.Header != nil {
		var start int
		b, start = openMessage(b, requestHeader)
		b = closeMessage(appendHeader(b, r.Header), start)
	}
	b = appendStrings(b, requestSecret, r.Secret)
	b = appendString(b, requestPublicURL, r.PublicURL)
	return appendBytes(b, requestBody, r.Body)
}

func appendHeader(b []byte, header map[string][]string) []byte {
	for name, values := range header {
		var start int
		b, start = openMessage(b, headerField)
		b = appendStrings(appendString(b, fieldName, name), fieldValue, values)
		b = closeMessage(b, start)
	}
	return b
}

// decodeEvent decodes an event without its request.
func decodeEvent(data []byte) (*queue.Event, error) {
	r, e := reader{data: data, text: string(data)}, new(queue.Event)
	for r.next() {
		switch r.number {
		case eventID:
			r.array(e.ID[:])
		case eventSource:
			e.Source = r.string()
		case eventProvider:
			e.Provider = r.string()
		case eventType:
			e.Type = r.string()
		case eventDeliveryID:
			e.DeliveryID = r.string()
		case eventReceivedAt:
			e.ReceivedAt = r.time()
		case eventState:
			e.State = queue.EventState(r.string())
		case eventSize:
			e.Size = r.int()
		case eventDedup:
			r.fail(decodeDedup(r.message(), &e.Dedup))
		case eventCopies:
			r.fail(decodeCopies(r.message(), &e.Copies))
		case eventCheck:
			r.fail(decodeCheck(r.message(), &e.Check))
		case eventTenant:
			e.Tenant = r.string()
		case eventPart:
			r.fail(decodePart(r.message(), &e.Part))
		case eventDelivery:
			if e.Deliveries == nil {
				e.Deliveries = make([]queue.Delivery, 0, 1+r.count(eventDelivery))
			}
			var d queue.Delivery
			r.fail(decodeDelivery(r.message(), &d))
			e.Deliveries = append(e.Deliveries, d)
		}
	}
	return e, r.err
}

func appendPart(b []byte, p *queue.Part) []byte {
	b = appendInt(b, partNumber, int64(p.Number))
	b = appendInt(b, partOf, int64(p.Of))
	b = appendInt(b, partStart, int64(p.Start))
	b = appendInt(b, partEnd, int64(p.End))
	return appendBool(b, partEncoded, p.Encoded)
}

func decodePart(r reader, p *queue.Part) error {
	for r.next() {
		switch r.number {
		case partNumber:
			p.Number = int(r.int())
		case partOf:
			p.Of = int(r.int())
		case partStart:
			p.Start = int(r.int())
		case partEnd:
			p.End = int(r.int())
		case partEncoded:
			p.Encoded = r.bool()
		}
	}
	return r.err
}

func decodeDedup(r reader, d *queue.Dedup) error {
	for r.next() {
		switch r.number {
		case dedupKeyHash:
			r.array(d.Key[:])
		case dedupBody:
			r.array(d.Body[:])
		case dedupUntil:
			d.Until = r.time()
		}
	}
	return r.err
}

func decodeCopies(r reader, c *queue.Copies) error {
	for r.next() {
		switch r.number {
		case copiesCount:
			c.Count = int(r.int())
		case copiesLast:
			if c.Last == nil {
				c.Last = make([]time.Time, 0, 1+r.count(copiesLast))
			}
			c.Last = append(c.Last, r.time())
		}
	}
	return r.err
}

func decodeCheck(r reader, c *queue.Check) error {
	for r.next() {
		switch r.number {
		case checkDue:
			c.Due = r.time()
		case checkCalls:
			c.Calls = int(r.int())
		case checkSent:
			c.Sent = r.bool()
		case checkEnded:
			c.Ended = r.time()
		case checkReason:
			c.Reason = r.string()
		}
	}
	return r.err
}

func decodeDelivery(r reader, d *queue.Delivery) error {
	for r.next() {
		switch r.number {
		case deliveryRoute:
			d.Route = r.string()
		case deliveryState:
			d.State = queue.DeliveryState(r.string())
		case deliveryQueued:
			d.Queued = r.time()
		case deliveryDue:
			d.Due = r.time()
		case deliveryEnded:
			d.Ended = r.time()
		case deliveryAttempts:
			d.Attempts = int(r.int())
		case deliveryStatus:
			d.Status = int(r.int())
		case deliveryReason:
			d.Reason = r.string()
		case deliveryLog:
			if d.Log == nil {
				d.Log = make([]queue.Attempt, 0, 1+r.count(deliveryLog))
			}
			var a queue.Attempt
			r.fail(decodeAttempt(r.message(), &a))
			d.Log = append(d.Log, a)
		case deliveryKey:
			d.Key = r.string()
		case deliveryHolds:
			d.Holds = r.bool()
		case deliveryReplays:
			d.Replays = int(r.int())
		case deliveryReplayed:
			d.Replayed = r.time()
		case deliveryFrom:
			d.From = r.string()
		}
	}
	return r.err
}

func decodeAttempt(r reader, a *queue.Attempt) error {
	for r.next() {
		switch r.number {
		case attemptAt:
			a.At = r.time()
		case attemptTook:
			a.Took = time.Duration(r.int())
		case attemptStatus:
			a.Status = int(r.int())
		case attemptReason:
			a.Reason = r.string()
		case attemptOutcome:
			a.Outcome = queue.Outcome(r.string())
		}
	}
	return r.err
}

func decodeRequest(data []byte) (*queue.Request, error) {
	r, q := reader{data: data, text: textOf(data)}, new(queue.Request)
	for r.next() {
		switch r.number {
		case requestMethod:
			q.Method = r.string()
		case requestHost:
			q.Host = r.string()
		case requestURI:
			q.URI = r.string()
		case requestProto:
			q.Proto = r.string()
		case requestRemoteAddr:
			q.RemoteAddr = r.string()
		case requestClientIP:
			q.ClientIP = r.string()
		case requestTLS:
			q.TLS = r.bool()
		case requestHeader:
			var err error
			q.Header, err = decodeHeader(r.message())
			r.fail(err)
		case requestSecret:
			q.Secret = append(q.Secret, r.string())
		case requestPublicURL:
			q.PublicURL = r.string()
		case requestBody:
			q.Body = r.bytes()
		}
	}
	return q, r.err
}

// textOf copies the part of a request that is before its body.
func textOf(data []byte) string {
	end := 0
	for r := (reader{data: data}); r.next(); {
		if r.number != requestBody {
			end = r.at
		}
	}
	return string(data[:end])
}

// decodeHeader puts all values into one array.
func decodeHeader(r reader) (map[string][]string, error) {
	fields, total := 0, 0
	for scan := r; scan.next(); {
		if scan.number == headerField {
			fields++
			total += scan.message().count(fieldValue)
		}
	}
	header, values := make(map[string][]string, fields), make([]string, 0, total)
	for r.next() {
		if r.number != headerField {
			continue
		}
		name, first, field := "", len(values), r.message()
		for field.next() {
			switch field.number {
			case fieldName:
				name = field.string()
			case fieldValue:
				values = append(values, field.string())
			}
		}
		r.fail(field.err)
		header[name] = values[first:len(values):len(values)]
	}
	return header, r.err
}

// readEvent decodes the head that is stored under a key.
func readEvent(key, record []byte) (*queue.Event, error) {
	content, err := unseal(key, record)
	if err != nil {
		return nil, err
	}
	return decodeEvent(content)
}

// readRequest decodes the request that is stored under a key.
func readRequest(key, record []byte) (*queue.Request, error) {
	content, err := unseal(key, record)
	if err != nil {
		return nil, err
	}
	return decodeRequest(content)
}
