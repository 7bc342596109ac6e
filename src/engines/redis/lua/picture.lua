-- Returns everything that a node must know at once, at one point of the order; false: the server has lost it.

if redis.call('HEXISTS', KEYS[1], 'epoch') == 0 then return false end
return {
  redis.call('HMGET', KEYS[1], 'epoch', 'term', 'seq', 'last', 'forgotten', 'former', 'kept', 'formerTakeovers'),
  redis.call('HGETALL', KEYS[2]),
  redis.call('HGETALL', KEYS[3]),
}
