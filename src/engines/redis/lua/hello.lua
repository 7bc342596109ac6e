-- A node reports that it is alive and which commits it has heard of. Returns the state of the server. A server that
-- took over from another one, or that has lost data, first waits for the reports of all nodes that were there
-- (`census`). If a node has heard of more than the server has, or does not report, the server begins a new numbering
-- of everything. Where the former server still runs as a master of the cluster, which a node says by `living`, the
-- slot was moved with all its data, and no more reports are needed. Times to come are of a clock that was set back.
-- A node that was silent for longer than the others is not waited for. `takeovers` has the newest commit that there was
-- as each term began: one that returns, and has heard of more in an earlier term, begins the new numbering then.
--
-- Heartbeats go by the clock of the server without its jumps (`lost` is their sum): it does not move on while no node
-- is heard for 5 s. So no node looks gone because that clock was set or the server was paused. Ages and TTLs go by a
-- second clock, which a node learns when it starts: the server's, and `ahead`, which makes up for the jumps. What
-- nodes tell corrects `ahead` only right after a jump, as one of them may lag: a paused machine's does.

local meta, log, heads, idle, acks, mine, nodes, census = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7],
  KEYS[8]
local node, knownEpoch, knownSeq, knownTerm, salt, fence = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]),
  ARGV[5], tonumber(ARGV[6])
local timeoutMs, censusMs = tonumber(ARGV[7]), tonumber(ARGV[8])
local format, oldest, living, clock = tonumber(ARGV[9]), tonumber(ARGV[10]), ARGV[11], tonumber(ARGV[12])
local time = redis.call('TIME')
local wall = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local m = redis.call('HMGET', meta, 'epoch', 'term', 'seq', 'last', 'run', 'census', 'format', 'from', 'seen', 'lost',
  'jumped', 'ahead', 'takeovers', 'fenced')
local written = tonumber(m[7] or format)
if written > format or written < oldest then return 'format ' .. text(written) end
local epoch, term, seq, last, before, waitsUntil = m[1], tonumber(m[2] or 0), tonumber(m[3] or 0), m[4], m[5], m[6]
local from, takeovers = waitsUntil and m[8] or '', m[13] or ''
local this = run()
local lost, jumped, ahead = tonumber(m[10] or 0), tonumber(m[11] or 0), tonumber(m[12] or 0)
local seen = tonumber(m[9] or wall)
-- A gateway of an older version reports itself only.
for _, heard in ipairs(redis.call('HVALS', nodes)) do
  local at = tonumber(heard) + lost
  if at <= wall then seen = math.max(seen, at) end
end
local gap = wall - seen
local isJump = gap < 0 or gap > 5000
if isJump and before == this then lost = lost + gap end
local now = wall - lost
if isJump or before and before ~= this then jumped = now
elseif clock > 0 and now - jumped < 5000 and math.abs(clock - wall - ahead) > 5000 then ahead = clock - wall end
local function whole(n) return string.format('%.0f', n) end
redis.call('HSET', meta, 'seen', whole(wall), 'lost', whole(lost), 'jumped', whole(jumped), 'ahead', whole(ahead))

local function renumber()
  redis.call('HSET', meta, 'former', epoch, 'kept', text(seq), 'formerTakeovers', takeovers)
  epoch, term = salt, term + 1
  seq = math.max(seq, knownSeq)
  local cursor = '0'
  repeat
    local page = redis.call('HSCAN', heads, cursor, 'COUNT', 1000)
    cursor = page[1]
    for i = 1, #page[2], 2 do
      local head = parseHead(page[2][i + 1])
      head.epoch = salt
      redis.call('HSET', heads, page[2][i], formatHead(head))
    end
  until cursor == '0'
  redis.call('HSET', meta, 'epoch', epoch, 'term', text(term), 'seq', text(seq), 'minor', '0', 'takeovers', '')
end

-- Whether the node has heard of commits that a server of a later term did not have.
local function hasForked()
  for begun, kept in string.gmatch(takeovers, '(%d+):(%d+)') do
    if tonumber(begun) > knownTerm and knownSeq > tonumber(kept) then return true end
  end
  return false
end

local function endCensus()
  waitsUntil, from = false, ''
  redis.call('HDEL', meta, 'census', 'from')
  redis.call('DEL', census)
end

-- Something else has written to the log. Or it has stopped a commit, which nodes may have heard of all the same.
local newest = redis.pcall('XREVRANGE', log, '+', '-', 'COUNT', 1)
if newest.err and not string.find(newest.err, '^WRONGTYPE') then redis.call('XREVRANGE', log, '+', '-') end
if epoch and (newest.err or newest[1] and newest[1][1] ~= last) then
  -- Last, so that a hello that fails for lack of a right leaves the log as it was found.
  renumber()
  redis.call('DEL', log)
end

if not epoch then
  redis.call('DEL', log, heads, idle, acks, census)
  epoch, term, seq, last, waitsUntil = salt, knownTerm + 1, knownSeq, '0-0', false
  redis.call('HSET', meta, 'epoch', epoch, 'term', text(term), 'seq', text(seq), 'minor', '0', 'last', last,
    'forgotten', '0', 'idled', '0', 'run', this, 'format', text(format), 'takeovers', '')
elseif before ~= this then
  -- Of two servers in a row, the first may have been lost.
  from = waitsUntil and '' or before
  term, waitsUntil = term + 1, text(now + censusMs)
  redis.call('DEL', census)
  local all, latest = redis.call('HGETALL', nodes), 0
  for i = 2, #all, 2 do latest = math.max(latest, math.min(now, tonumber(all[i]))) end
  -- Those of the former server's last moments, however long ago that was.
  for i = 1, #all, 2 do
    if tonumber(all[i + 1]) > latest - timeoutMs then redis.call('SADD', census, all[i]) end
  end
  takeovers = string.sub(takeovers .. text(term) .. ':' .. text(seq) .. ' ', -1000)
  redis.call('HSET', meta, 'run', this, 'term', text(term), 'census', waitsUntil, 'from', from, 'takeovers', takeovers)
end
local isShort = knownEpoch == epoch and (knownSeq > seq or hasForked())
if waitsUntil then
  local latest = now + censusMs
  if tonumber(waitsUntil) > latest then redis.call('HSET', meta, 'census', text(latest)) end
  redis.call('SREM', census, node)
  local isComplete = redis.call('SCARD', census) == 0 or from ~= '' and from == living
  if isShort or (not isComplete and now > tonumber(waitsUntil)) then
    renumber()
    endCensus()
  elseif isComplete then
    endCensus()
  end
elseif isShort then
  renumber()
elseif knownEpoch ~= epoch and knownSeq > seq then
  -- No node's numbers go back.
  seq = knownSeq
  redis.call('HSET', meta, 'seq', text(seq), 'minor', '0')
end
local heard = tonumber(redis.call('HGET', nodes, node) or now)
local gone = now - heard > timeoutMs and '1' or '0'
redis.call('HSET', nodes, node, text(now))
local all, others = redis.call('HGETALL', nodes), {}
for i = 1, #all, 2 do
  local silentMs = now - tonumber(all[i + 1])
  if silentMs < 0 then redis.call('HSET', nodes, all[i], text(now)) end
  if silentMs > 3600000 then redis.call('HDEL', nodes, all[i])
  elseif silentMs <= timeoutMs then others[#others + 1] = all[i] end
end
-- Batches look for their fences while there are any.
if fence > 0 then
  redis.call('HSET', mine, 'fence', text(fence))
  redis.call('HSET', meta, 'fenced', text(now))
elseif m[14] and now - tonumber(m[14]) > 3600000 then redis.call('HDEL', meta, 'fenced') end
redis.call('PEXPIRE', mine, 3600000)
local state = waitsUntil and 'census:' .. from or 'ready'
return table.concat({ epoch, text(term), last, state, text(written), text(wall + ahead), gone, table.concat(others, ',') }, ' ')
