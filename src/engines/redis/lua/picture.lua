-- Returns everything that a node must know at once, at one point of the order.

return {
  redis.call('HMGET', KEYS[1], 'epoch', 'term', 'seq', 'last', 'forgotten', 'former', 'kept', 'formerTakeovers'),
  redis.call('HGETALL', KEYS[2]),
  redis.call('HGETALL', KEYS[3]),
}
