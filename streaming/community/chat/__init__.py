"""Chat beside a stream: kept, in order, and moderated by the stream's owner."""
