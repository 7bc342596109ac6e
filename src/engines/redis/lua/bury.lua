-- Takes back a part of a node's counts, if it was not heard of for the time-out, or asks for it itself (`own`). Returns
-- whether more is left. A node that comes back meanwhile learns that it was given up.

if ARGV[3] ~= 'own' then
  if redis.call('HEXISTS', mine, '') == 0 and not isDead(node) then return 0 end
  redis.call('HSET', mine, '', '0')
end
local page = redis.call('HSCAN', mine, '0', 'COUNT', 500)[2]
for i = 1, #page, 2 do
  if page[i] ~= '' then
    change(page[i], -tonumber(page[i + 1]), nil)
    redis.call('HDEL', mine, page[i])
  end
end
version()
if redis.call('HLEN', mine) > redis.call('HEXISTS', mine, '') then return 1 end
redis.call('DEL', mine)
redis.call('SREM', counting, node)
return 0
