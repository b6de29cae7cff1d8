package queue

import (
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// complaint limits a message to one a minute: what it is about may happen a thousand
// times a second.
type complaint struct{ last atomic.Int64 }

func (c *complaint) due() bool {
	now, last := Now().UnixNano(), c.last.Load()
	return now-last >= int64(time.Minute) && c.last.CompareAndSwap(last, now)
}

// complain logs that the store failed, unless the engine is being closed.
func (e *Engine) complain(doing string, err error, fields ...zap.Field) {
	if e.life.Err() == nil && e.failing.due() {
		e.snapshot.Load().logger.Error(doing+" failed", append(fields, zap.Error(err))...)
	}
}
