-- Saves the document if it is still the one that was read.
-- KEYS: the document's hash.
-- ARGV: the channel; the revision that the document must have, '' for none; the new document; an id of this save; the
-- largest document, in bytes, that is sent to all who watch.
-- Returns 1 if it was saved, else 0, and the document's revision.

local function revision(saves, document)
  return saves .. '-' .. redis.sha1hex(document)
end

local document, rev, save = unpack(redis.call('HMGET', KEYS[1], 'document', 'rev', 'save'))
local saves = string.match(rev or '', '^[1-9]%d*$') or '0'
if #saves > 15 then
  saves = '0'
end
local current = document and revision(saves, document) or ''
if current ~= ARGV[2] then
  local own = save == ARGV[4] and document == ARGV[3] -- it was sent again because its answer was lost
  return {own and 1 or 0, current}
end

saves = string.format('%.0f', tonumber(saves) + 1)
current = revision(saves, ARGV[3])
redis.call('HSET', KEYS[1], 'document', ARGV[3], 'rev', saves, 'save', ARGV[4])
local news = current
if #ARGV[3] <= tonumber(ARGV[5]) then
  news = news .. '\n' .. ARGV[3]
end
redis.pcall('PUBLISH', ARGV[1], news) -- what is saved is saved: who cannot be told, polls
return {1, current}
