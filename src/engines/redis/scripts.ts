/**
 * The scripts that run in Redis, each atomically. Their keys are declared, so that a cluster never runs half of a
 * script while it moves their slot. `REDIS.md` says what the keys hold.
 */

/** Shared by the scripts: numbers as text, and the head of a topic. */
const shared = `
local function text(n) return string.format('%.0f', n) end

local function run()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
end

local function parseHead(value)
  local epoch, offset, seq, born, evicted, bytes, count, ids, idle =
    string.match(value, '^(%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+)$')
  return {
    epoch = epoch, offset = tonumber(offset), seq = tonumber(seq), born = tonumber(born),
    evicted = tonumber(evicted), bytes = tonumber(bytes), count = tonumber(count), ids = tonumber(ids), idle = idle,
  }
end

local function formatHead(h)
  return table.concat({
    h.epoch, text(h.offset), text(h.seq), text(h.born), text(h.evicted), text(h.bytes), text(h.count), text(h.ids), h.idle,
  }, ' ')
end
`;

/**
 * Appends publications. Returns a single word where it did nothing: \`stale\` (the node does not know this server, this
 * numbering or this term; or the server lacks commits that the node has heard of) or \`fenced\` (the node has given the
 * batch up). Otherwise returns the newest commit and a line for each request.
 */
export const commitScript = `${shared}
local meta, log, heads, idle, acks, mine = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local epoch, term, known, batch, now, window, salt, node = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4],
  tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7], ARGV[8]
local logMax, numberingsMax, slots = ARGV[9], tonumber(ARGV[10]), tonumber(ARGV[11])
local at, keyAt = 12, 7

local m = redis.call('HMGET', meta, 'epoch', 'term', 'seq', 'minor', 'last', 'forgotten', 'run', 'census', 'idled')
if m[1] ~= epoch or m[2] ~= term or m[8] or m[7] ~= run() then return 'stale' end
local seq, minor, last, forgotten, idled = tonumber(m[3]), tonumber(m[4]), m[5], tonumber(m[6]), tonumber(m[9])
if seq < known then return 'stale' end
local slot = text(tonumber(batch) % slots)
local replied = redis.call('HMGET', mine, slot, 'fence')
if replied[1] and string.match(replied[1], '^%d+') == batch then return string.sub(replied[1], #batch + 2) end
if replied[2] and tonumber(batch) <= tonumber(replied[2]) then return 'fenced' end

local function take()
  at = at + 1
  return ARGV[at - 1]
end

local function enter(id, about, record)
  redis.call('XADD', log, 'MAXLEN', '~', logMax, id, 'm', last .. ' ' .. about, 'r', record)
  last = id
end

local function tell(about, record)
  minor = minor + 1
  enter(text(seq) .. '-' .. text(minor), term .. ' ' .. about, record)
end

local topics = {}
for i = 1, tonumber(take()) do
  local name = take()
  local value = redis.call('HGET', heads, name)
  topics[i] = {
    name = name, head = value and parseHead(value) or nil, state = take() == 'state',
    most = tonumber(take()), mostBytes = tonumber(take()), content = KEYS[keyAt], values = KEYS[keyAt + 1],
  }
  keyAt = keyAt + 2
end

-- Topics whose content is to go.
for _ = 1, tonumber(take()) do
  local topic, ofEpoch, offset = topics[tonumber(take())], take(), take()
  local head = topic.head
  if head and head.idle == '-' and head.epoch == ofEpoch and text(head.offset) == offset and head.ids + window <= now then
    redis.call('DEL', topic.content, topic.values)
    head.idle, head.bytes, head.count, head.evicted = text(seq), 0, 0, head.seq
    idled = idled + 1
    redis.call('ZADD', idle, idled, topic.name)
    redis.call('HSET', heads, topic.name, formatHead(head))
  end
end
local surplus = redis.call('ZCARD', idle) - numberingsMax
if surplus > 0 then
  local popped = redis.call('ZPOPMIN', idle, math.min(surplus, 1000))
  local names = {}
  for i = 1, #popped, 2 do
    local value = redis.call('HGET', heads, popped[i])
    if value then
      forgotten = math.max(forgotten, parseHead(value).seq)
      redis.call('HDEL', heads, popped[i])
    end
    names[#names + 1] = popped[i]
    for _, topic in ipairs(topics) do
      if topic.name == popped[i] then topic.head = nil end
    end
  end
  tell('d', text(forgotten) .. ' ' .. table.concat(names, ' '))
end

local function varint(n)
  local bytes = ''
  while n >= 128 do
    local low = n % 128
    bytes = bytes .. string.char(low + 128)
    n = (n - low) / 128
  end
  return bytes .. string.char(n)
end

local function trim(topic)
  local head = topic.head
  if head.count <= topic.most * 1.25 and head.bytes <= topic.mostBytes * 1.25 then return end
  local from, done = '-', false
  while not done do
    local entries = redis.call('XRANGE', topic.content, from, '+', 'COUNT', 64)
    done = #entries < 64
    for _, entry in ipairs(entries) do
      if head.count <= topic.most and (head.bytes <= topic.mostBytes or head.count <= 1) then
        done = true
        break
      end
      head.evicted = tonumber(entry[2][2])
      head.bytes = head.bytes - tonumber(entry[2][4])
      head.count = head.count - 1
      from = '(' .. entry[1]
    end
  end
  redis.call('XTRIM', topic.content, 'MAXLEN', head.count)
end

local function judge(topic, check, ofEpoch, ofOffset, key, idKey, digest, refused)
  local head = topic.head
  if check == 'newest' then
    if not topic.state or not head or head.idle ~= '-' or head.epoch ~= ofEpoch then return 'n' end
    local value = redis.call('HGET', topic.values, key)
    if not value or string.match(value, '^%d+') ~= ofOffset then return 'n' end
  elseif check == 'expected' then
    if (head and head.epoch or '') ~= ofEpoch or text(head and head.offset or 0) ~= ofOffset then return 'p' end
  end
  if idKey == '' then return nil end
  local seen = redis.call('GET', idKey)
  if seen and head then
    local atMs, offset, ofDigest = string.match(seen, '^(%d+) (%d+) (%S+)$')
    if now - tonumber(atMs) < window then
      return ofDigest == digest and 'd ' .. offset .. ' ' .. head.epoch or 'c'
    end
  end
  if refused ~= '' then return 'l' end
  return nil
end

local lines = {}
for i = 1, tonumber(take()) do
  local topic, check, ofEpoch, ofOffset, key, removed = topics[tonumber(take())], take(), take(), take(), take(), take()
  local idKey, digest, refused, cost, facts, body = '', take(), take(), take(), take(), take()
  if digest ~= '' then
    idKey = KEYS[keyAt]
    keyAt = keyAt + 1
  end
  local line = judge(topic, check, ofEpoch, ofOffset, key, idKey, digest, refused)
  if not line then
    local head = topic.head
    if not head then
      head = { epoch = salt, offset = 0, seq = 0, born = forgotten, evicted = 0, bytes = 0, count = 0, ids = 0, idle = '-' }
      topic.head = head
    end
    if head.idle ~= '-' then
      redis.call('ZREM', idle, topic.name)
      head.idle = '-'
    end
    seq, minor = seq + 1, 0
    head.offset, head.seq = head.offset + 1, seq
    local inner = '\\8' .. varint(head.offset) .. body
    local record = facts .. '2' .. varint(#inner) .. inner
    local offset, commit = text(head.offset), text(seq)
    local about = { term, 'p', head.epoch, node, batch, i, idKey ~= '' and text(now) or 0, topic.name }
    enter(commit .. '-0', table.concat(about, ' '), record)
    redis.call('XADD', topic.content, offset .. '-0', 'q', commit, 'c', cost, 'r', record)
    head.bytes, head.count = head.bytes + tonumber(cost), head.count + 1
    if topic.state then
      if removed == '1' then redis.call('HDEL', topic.values, key)
      else redis.call('HSET', topic.values, key, offset .. ' ' .. commit .. ' ' .. record) end
    end
    if idKey ~= '' then
      redis.call('SET', idKey, text(now) .. ' ' .. offset .. ' ' .. digest, 'PX', text(window + 60000))
      head.ids = now
    end
    topic.changed = true
    line = 'o ' .. offset .. ' ' .. head.epoch
  end
  lines[i] = line
end
for _, topic in ipairs(topics) do
  if topic.changed then
    trim(topic)
    redis.call('HSET', heads, topic.name, formatHead(topic.head))
  end
end

-- Up to where clients have had topics.
local news = {}
for _ = 1, tonumber(take()) do
  local field, ofEpoch, offset = take(), take(), take()
  local value = redis.call('HGET', acks, field)
  local knownEpoch, knownOffset = string.match(value or '', '^(%S*) (%d+)$')
  if knownEpoch ~= ofEpoch or tonumber(knownOffset) < tonumber(offset) then
    redis.call('HSET', acks, field, ofEpoch .. ' ' .. offset)
    news[#news + 1] = '[' .. field .. ',"' .. ofEpoch .. '",' .. offset .. ']'
  end
end
for _ = 1, tonumber(take()) do redis.call('HDEL', acks, take()) end
if #news > 0 then tell('a', '[' .. table.concat(news, ',') .. ']') end

redis.call('HSET', meta, 'seq', text(seq), 'minor', text(minor), 'last', last, 'forgotten', text(forgotten),
  'idled', text(idled))
local reply = text(seq) .. ' ' .. epoch .. '\\n' .. table.concat(lines, '\\n')
redis.call('HSET', mine, slot, batch .. '\\n' .. reply)
redis.call('PEXPIRE', mine, 3600000)
return reply
`;

/**
 * A node reports that it is alive and which commits it has heard of. Returns the state of the server. A server that
 * took over from another one, or that has lost data, first waits for the reports of all nodes that were there
 * (\`census\`). If a node has heard of more than the server has, or does not report, the server begins a new numbering
 * of everything.
 */
export const helloScript = `${shared}
local meta, log, heads, idle, acks, mine, nodes, census = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7],
  KEYS[8]
local node, knownEpoch, knownSeq, knownTerm, salt, fence = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]),
  ARGV[5], tonumber(ARGV[6])
local timeoutMs, censusMs = tonumber(ARGV[7]), tonumber(ARGV[8])
local format, oldest = tonumber(ARGV[9]), tonumber(ARGV[10])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local m = redis.call('HMGET', meta, 'epoch', 'term', 'seq', 'last', 'run', 'census', 'format')
local written = tonumber(m[7] or format)
if written > format or written < oldest then return 'format ' .. text(written) end
local epoch, term, seq, last, before, waitsUntil = m[1], tonumber(m[2] or 0), tonumber(m[3] or 0), m[4], m[5], m[6]

local function renumber()
  redis.call('HSET', meta, 'former', epoch, 'kept', text(seq))
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
  redis.call('HSET', meta, 'epoch', epoch, 'term', text(term), 'seq', text(seq), 'minor', '0')
end

local function endCensus()
  waitsUntil = false
  redis.call('HDEL', meta, 'census')
  redis.call('DEL', census)
end

if not epoch then
  redis.call('DEL', log, heads, idle, acks, census)
  epoch, term, seq, last, waitsUntil = salt, knownTerm + 1, knownSeq, '0-0', false
  redis.call('HSET', meta, 'epoch', epoch, 'term', text(term), 'seq', text(seq), 'minor', '0', 'last', last,
    'forgotten', '0', 'idled', '0', 'run', run(), 'format', text(format))
elseif before ~= run() then
  term, waitsUntil = term + 1, text(now + censusMs)
  redis.call('HSET', meta, 'run', run(), 'term', text(term), 'census', waitsUntil)
  redis.call('DEL', census)
  local all = redis.call('HGETALL', nodes)
  for i = 1, #all, 2 do
    if tonumber(all[i + 1]) > now - timeoutMs then redis.call('SADD', census, all[i]) end
  end
end
local isShort = knownEpoch == epoch and knownSeq > seq
if waitsUntil then
  redis.call('SREM', census, node)
  local isComplete = redis.call('SCARD', census) == 0
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
redis.call('HSET', nodes, node, text(now))
local all, living = redis.call('HGETALL', nodes), {}
for i = 1, #all, 2 do
  local silentMs = now - tonumber(all[i + 1])
  if silentMs > 3600000 then redis.call('HDEL', nodes, all[i])
  elseif silentMs <= timeoutMs then living[#living + 1] = all[i] end
end
if fence > 0 then
  redis.call('HSET', mine, 'fence', text(fence))
  redis.call('PEXPIRE', mine, 3600000)
end
local state = waitsUntil and 'census' or 'ready'
return table.concat({ epoch, text(term), last, state, text(written), table.concat(living, ',') }, ' ')
`;

/** Returns a topic at one point of the order: its head, its newest publications and its values. */
export const loadScript = `
local value = redis.call('HGET', KEYS[1], ARGV[1])
if not value then return false end
local values = {}
if ARGV[2] == 'state' then values = redis.call('HVALS', KEYS[3]) end
return { value, redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', ARGV[3]), values }
`;

/** Returns everything that a node must know at once, at one point of the order. */
export const pictureScript = `
return {
  redis.call('HMGET', KEYS[1], 'epoch', 'term', 'seq', 'last', 'forgotten', 'former', 'kept'),
  redis.call('HGETALL', KEYS[2]),
  redis.call('HGETALL', KEYS[3]),
}
`;
