package recessfiber

// HoldBytes implements [recess.Exchange]: fasthttp has read the body, unless it is streamed.
func (x *exchange) HoldBytes() int64 {
	request := x.Context.Request()
	if request.IsBodyStream() {
		return 0
	}
	return int64(len(request.Body()))
}

// Hold implements [recess.Exchange]. fasthttp does not look at a connection while a handler runs, so this does.
func (x *exchange) Hold() (gone <-chan struct{}, release func()) {
	return watch(x.Context.Context().Conn())
}
