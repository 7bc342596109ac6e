-- A node reports its counts of some keys. Returns `lost` where the node is unknown or was given up: it has to report
-- all its counts. Otherwise returns the version of the full keys; and the keys, unless the node has that version.

if ARGV[3] == 'anew' then redis.call('SADD', counting, node)
elseif redis.call('SISMEMBER', counting, node) == 0 or redis.call('HEXISTS', mine, '') == 1 then return { 'lost' } end
for i = 5, #ARGV, 3 do
  local key, count = ARGV[i], tonumber(ARGV[i + 1])
  local by = count - tonumber(redis.call('HGET', mine, key) or 0)
  if count == 0 then redis.call('HDEL', mine, key) else redis.call('HSET', mine, key, ARGV[i + 1]) end
  change(key, by, tonumber(ARGV[i + 2]))
end
local at = text(version())
return { at, at ~= ARGV[4] and redis.call('HGETALL', full) }
