-- Appends publications. Returns a single word where it did nothing: `stale` (the node does not know this server, this
-- numbering or this term; or the server lacks commits that the node has heard of) or `fenced` (the node has given the
-- batch up). Otherwise returns the newest commit and a line for each request, and one more with the last command that
-- was refused once all was committed.
--
-- Most of the time of a publication goes to the two calls of XADD and to strings as long as a record, each of which
-- costs as much as two calls of a small command: so a record is put together at once. Numbers become texts by
-- `text`, as `..` takes several times as long.

local meta, log, heads, idle, acks, mine, aged = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local args = cmsgpack.unpack(ARGV[1])
local epoch, term, known, batch, slot, now, window, salt, node = unpack(args, 1, 9)
local logMax, numberingsMax, mayBeAnother, feed = unpack(args, 10, 13)
local at, keyAt, recordAt = 14, 8, 1

local m = redis.call('HMGET', meta, 'epoch', 'term', 'seq', 'minor', 'last', 'forgotten', 'run', 'census', 'idled',
  'fenced')
if m[1] ~= epoch or m[2] ~= term or m[8] or mayBeAnother == 1 and m[7] ~= run() then return 'stale' end
local seq, minor, last, forgotten, idled = tonumber(m[3]), tonumber(m[4]), m[5], tonumber(m[6]), tonumber(m[9])
if seq < known then return 'stale' end
-- Some node has given batches up in the last hour; or this one's client sends batches again, as those of clusters do.
if m[10] or mayBeAnother == 1 then
  local replied = redis.call('HMGET', mine, slot, 'fence')
  if replied[1] and string.match(replied[1], '^%d+') == batch then return string.sub(replied[1], #batch + 2) end
  if replied[2] and tonumber(batch) <= tonumber(replied[2]) then return 'fenced' end
end

local function take()
  at = at + 1
  return args[at - 1]
end

-- The entries for the feed: each is a line and its record.
local fed, fedBytes = {}, 0

-- `line` begins with the previous entry.
local function enter(id, line, record)
  redis.call('XADD', log, 'MAXLEN', '~', logMax, id, 'm', line, 'r', record)
  last = id
  if feed ~= '' then
    fed[#fed + 1] = text(#record) .. ' ' .. id .. ' ' .. line .. '\n'
    fed[#fed + 1] = record
    fedBytes = fedBytes + #record
  end
end

local function tell(about, record)
  minor = minor + 1
  enter(text(seq) .. '-' .. text(minor), last .. ' ' .. term .. ' ' .. about, record)
end

-- Writes to the key. Where that cannot be, as something other than a gateway has written to it, its content goes first:
-- an error in mid-script would leave entries in the log that `meta` does not know. Returns whether it went.
local function put(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  local problem = type(reply) == 'table' and reply.err
  if not problem then return false end
  local isForeign = string.find(problem, '^WRONGTYPE') or string.find(problem, 'XADD')
  if isForeign then redis.call('DEL', key) end
  redis.call(command, key, ...)
  return isForeign
end

local topics, names = {}, {}
for i = 1, take() do
  local name, mode, most, mostBytes, hasValues = unpack(args, at, at + 4)
  names[i] = name
  topics[i] = { name = name, state = mode == 'state', most = most, mostBytes = mostBytes, content = KEYS[keyAt] }
  at, keyAt = at + 5, keyAt + 1
  if hasValues == 1 then
    topics[i].values = KEYS[keyAt]
    keyAt = keyAt + 1
  end
end
for from = 1, #names, 1000 do
  local values = redis.call('HMGET', heads, unpack(names, from, math.min(from + 999, #names)))
  for i, value in ipairs(values) do
    if value then topics[from + i - 1].head = parseHead(value) end
  end
end

-- Topics whose content is to go.
local forgets = take()
for _ = 1, forgets do
  local topic, ofEpoch, offset = topics[take()], take(), take()
  local head = topic.head
  if head and head.idle == '-' and head.epoch == ofEpoch and head.offset == offset and tonumber(head.ids) + window <= now then
    redis.call('DEL', topic.content, topic.values)
    head.idle, head.bytes, head.count, head.evicted = text(seq), 0, 0, head.seq
    idled = idled + 1
    redis.call('ZADD', idle, idled, topic.name)
    redis.call('HSET', heads, topic.name, formatHead(head))
  end
end
local surplus = forgets > 0 and redis.call('ZCARD', idle) - numberingsMax or 0
if surplus > 0 then
  local popped = redis.call('ZPOPMIN', idle, math.min(surplus, 1000))
  local dropped = {}
  for i = 1, #popped, 2 do
    local value = redis.call('HGET', heads, popped[i])
    if value then
      forgotten = math.max(forgotten, tonumber(parseHead(value).seq))
      redis.call('HDEL', heads, popped[i])
    end
    dropped[#dropped + 1] = popped[i]
    for _, topic in ipairs(topics) do
      if topic.name == popped[i] then topic.head = nil end
    end
  end
  tell('d', text(forgotten) .. ' ' .. table.concat(dropped, ' '))
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
      head.evicted = entry[2][2]
      head.bytes = head.bytes - tonumber(entry[2][4])
      head.count = head.count - 1
      from = '(' .. entry[1]
    end
  end
  redis.call('XTRIM', topic.content, 'MAXLEN', head.count)
end

-- Message ids of this batch.
local ids = {}

local function judge(topic, check, ofEpoch, ofOffset, key, idKey, digest, refused)
  local head = topic.head
  if check == 'newest' then
    if not topic.state or not head or head.idle ~= '-' or head.epoch ~= ofEpoch then return 'n' end
    local value = redis.call('HGET', topic.values, key)
    if not value or string.match(value, '^%d+') ~= text(ofOffset) then return 'n' end
  elseif check == 'expected' then
    if (head and head.epoch or '') ~= ofEpoch or (head and head.offset or 0) ~= ofOffset then return 'p' end
  end
  if idKey == '' then return nil end
  local seen = ids[idKey] or redis.call('GET', idKey)
  if seen and head then
    local atMs, offset, ofDigest = string.match(seen, '^(%d+) (%d+) (%S+)$')
    if now - tonumber(atMs) < window then
      return ofDigest == digest and 'd ' .. offset .. ' ' .. head.epoch or 'c'
    end
  end
  if refused ~= '' then return 'l' end
  return nil
end

-- The first one is about the newest commit.
local lines = { '' }
for i = 1, take() do
  local topicAt, check, ofEpoch, ofOffset, key, removed, digest, refused, cost = unpack(args, at, at + 8)
  local factsBytes, bodyBytes = unpack(args, at + 9, at + 10)
  local topic, idKey, bodyAt = topics[topicAt], '', recordAt + factsBytes
  local nextAt = bodyAt + bodyBytes
  at = at + 11
  if digest ~= '' then
    idKey = KEYS[keyAt]
    keyAt = keyAt + 1
  end
  local line = judge(topic, check, ofEpoch, ofOffset, key, idKey, digest, refused)
  if not line then
    local head = topic.head
    if not head then
      head = {
        epoch = salt, offset = 0, seq = '0', born = text(forgotten), evicted = '0', bytes = 0, count = 0, ids = '0',
        idle = '-',
      }
      topic.head = head
      -- Of a head that was lost.
      redis.call('DEL', topic.content)
      if topic.values then redis.call('DEL', topic.values) end
    end
    if head.idle ~= '-' then
      redis.call('ZREM', idle, topic.name)
      head.idle = '-'
    end
    seq, minor = seq + 1, 0
    local commit, previous = text(seq), head.seq
    head.offset, head.seq = head.offset + 1, commit
    local offset, packed = text(head.offset), varint(head.offset)
    local record = string.sub(ARGV[2], recordAt, bodyAt - 1) .. '2' .. varint(1 + #packed + bodyBytes) .. '\8' .. packed
      .. string.sub(ARGV[2], bodyAt, nextAt - 1)
    enter(commit .. '-0', last .. ' ' .. term .. ' p ' .. head.epoch .. ' ' .. node .. ' ' .. batch .. ' ' .. text(i) .. ' '
      .. (idKey ~= '' and text(now) or '0') .. ' ' .. topic.name, record)
    if put('XADD', topic.content, offset .. '-0', 'q', commit, 'c', text(cost), 'r', record) then
      head.evicted, head.bytes, head.count = previous, 0, 0
    end
    head.bytes, head.count = head.bytes + cost, head.count + 1
    if topic.state then
      if removed == 1 then put('HDEL', topic.values, key)
      else put('HSET', topic.values, key, offset .. ' ' .. commit .. ' ' .. record) end
    end
    if idKey ~= '' then
      ids[idKey] = text(now) .. ' ' .. offset .. ' ' .. digest
      head.ids = text(now)
    end
    topic.changed = true
    line = 'o ' .. offset .. ' ' .. head.epoch
  end
  recordAt = nextAt
  lines[i + 1] = line
end
local changed = {}
for _, topic in ipairs(topics) do
  if topic.changed then
    trim(topic)
    changed[#changed + 1] = topic.name
    changed[#changed + 1] = formatHead(topic.head)
  end
end
if #changed > 0 then redis.call('HSET', heads, unpack(changed)) end

-- Up to where clients have had topics.
local news = {}
for _ = 1, take() do
  local field, ofEpoch, offset = take(), take(), take()
  local value = redis.call('HGET', acks, field)
  local knownEpoch, knownOffset = string.match(value or '', '^(%S*) (%d+)$')
  if knownEpoch ~= ofEpoch or tonumber(knownOffset) < offset then
    redis.call('HSET', acks, field, ofEpoch .. ' ' .. text(offset))
    news[#news + 1] = '[' .. field .. ',"' .. ofEpoch .. '",' .. text(offset) .. ']'
  end
end
for _ = 1, take() do redis.call('HDEL', acks, take()) end
if #news > 0 then tell('a', '[' .. table.concat(news, ',') .. ']') end

local newest = text(seq)
redis.call('HSET', meta, 'seq', newest, 'last', last)
if forgets > 0 or text(minor) ~= m[4] then
  redis.call('HSET', meta, 'minor', text(minor), 'forgotten', text(forgotten), 'idled', text(idled))
end
-- Once it is committed: an error before, for lack of a right, must not leave ids of what there is not.
local refused
local keys, noted = {}, {}
for key in pairs(ids) do
  keys[#keys + 1] = key
  noted[#noted + 1] = text(now) .. ' ' .. key
end
for from = 1, #keys, 1000 do
  local to = math.min(from + 999, #keys)
  local reply = redis.pcall('RPUSH', aged, unpack(noted, from, to))
  if type(reply) == 'table' and string.find(reply.err, '^WRONGTYPE') then
    redis.pcall('DEL', aged)
    reply = redis.pcall('RPUSH', aged, unpack(noted, from, to))
  end
  if type(reply) == 'table' then refused = 'RPUSH ' .. reply.err end
  -- Nothing would remove an id that is not in the list.
  for i = from, refused and 0 or to do
    local set = redis.pcall('SET', keys[i], ids[keys[i]])
    if set.err then refused = 'SET ' .. set.err end
  end
end
-- Ids are removed by age here, because Redis's own expiry goes by a clock that may be set: by batches with ids, and by
-- each sixteenth of the others.
local function isOver(entry)
  local atMs = string.match(entry, '^%d+')
  return not atMs or now - tonumber(atMs) >= window
end
local oldest = (#keys > 0 or slot == '0') and redis.pcall('LINDEX', aged, 0)
if type(oldest) == 'string' and isOver(oldest) then
  local due, times, over = {}, {}, {}
  for _, entry in ipairs(redis.pcall('LRANGE', aged, 0, math.min(2 * #noted + 99, 999))) do
    if not isOver(entry) then break end
    local atMs, key = string.match(entry, '^(%d+) (.*)$')
    due[#due + 1], times[#times + 1] = key or aged, atMs or ''
  end
  for i, value in ipairs(redis.pcall('MGET', unpack(due))) do
    -- Else it was used again since.
    if value and string.match(value, '^%d+') == times[i] then over[#over + 1] = due[i] end
  end
  if #over > 0 then redis.pcall('DEL', unpack(over)) end
  redis.pcall('LTRIM', aged, #due, -1)
end
lines[1] = newest .. ' ' .. epoch
local reply = table.concat(lines, '\n')
local isFirst = redis.call('HSET', mine, slot, batch .. '\n' .. reply) == 1
-- From then on by `hello`.
if isFirst then redis.call('PEXPIRE', mine, 3600000) end
-- Where it is large, nodes read it from the log at their own pace.
local told = #fed > 0 and redis.pcall('PUBLISH', feed, fedBytes <= 1048576 and table.concat(fed) or '')
if type(told) == 'table' then refused = 'PUBLISH ' .. told.err end
if refused then reply = reply .. '\n' .. refused end
return reply
