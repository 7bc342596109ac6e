-- Shared by the scripts for what nodes count together: a change of what a node has of a key, and of the total with it;
-- and who is gone. A node's own counts and the totals change in one script, so they always agree. Whatever was lost (a
-- reply, a node, a master), a node that reports its counts again puts them right.

local node, timeoutMs = ARGV[1], tonumber(ARGV[2])
local mine, totals, full, counting, nodes, meta = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local hasNews = false
local function text(n) return string.format('%.0f', n) end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
-- The clock of heartbeats, see the script `hello`.
local clock = redis.call('HMGET', meta, 'seen', 'lost')
local gap = now - tonumber(clock[1] or now)
if gap < 0 or gap > 5000 then now = now - gap end
now = now - tonumber(clock[2] or 0)
local function isDead(name)
  local heard = redis.call('HGET', nodes, name)
  return not heard or now - tonumber(heard) > timeoutMs
end

local function change(key, by, limit)
  local total = redis.call('HINCRBY', totals, key, by)
  if total <= 0 then redis.call('HDEL', totals, key) end
  local known = redis.call('HGET', full, key)
  if not known and (not limit or total < limit) then return end
  limit = limit or tonumber(string.match(known, ' (%d+)$'))
  local value = total >= limit and text(total) .. ' ' .. text(limit) or false
  if value == known then return end
  hasNews = true
  if value then redis.call('HSET', full, key, value) else redis.call('HDEL', full, key) end
end

local function version()
  if hasNews then return redis.call('HINCRBY', meta, 'full', 1) end
  return tonumber(redis.call('HGET', meta, 'full') or 0)
end

