/**
 * Scripts for what nodes count together. A node's own counts and the totals change in one script, so they always agree.
 * Whatever was lost (a reply, a node, a master), a node that reports its counts again puts them right.
 */

/** What the scripts share: a change of what a node has of a key, and of the total with it; and who is gone. */
const shared = `
local node, timeoutMs = ARGV[1], tonumber(ARGV[2])
local mine, totals, full, counting, nodes, meta = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local hasNews = false
local function text(n) return string.format('%.0f', n) end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
-- The clock of heartbeats, see the script \`hello\`.
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
`;

/**
 * A node reports its counts of some keys. Returns `lost` where the node is unknown or was given up: it has to report
 * all its counts. Otherwise returns the version of the full keys; and the keys, unless the node has that version.
 */
export const countScript = `${shared}
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
`;

/** Returns the nodes that count something and were not heard of for the time-out. */
export const silentScript = `${shared}
local dead = {}
for _, name in ipairs(redis.call('SMEMBERS', counting)) do
  if isDead(name) then dead[#dead + 1] = name end
end
return dead
`;

/**
 * Takes back a part of a node's counts, if it was not heard of for the time-out, or asks for it itself (`own`). Returns
 * whether more is left. A node that comes back meanwhile learns that it was given up.
 */
export const buryScript = `${shared}
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
`;
