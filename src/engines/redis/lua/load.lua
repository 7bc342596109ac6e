-- Returns a topic at one point of the order: its head, its newest publications and its values.

local value = redis.call('HGET', KEYS[1], ARGV[1])
if not value then return false end
local values = {}
if ARGV[2] == 'state' then values = redis.call('HVALS', KEYS[3]) end
return { value, redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', ARGV[3]), values }
