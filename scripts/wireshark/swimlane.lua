-- Shows every field of swimlane's packets (docs/wire.md, format version 1) in Wireshark and tshark:
--   wireshark -X lua_script:scripts/wireshark/swimlane.lua capture.pcap
-- or copy it into Wireshark's folder of personal Lua plugins. A sealed body stays bytes: captures made with
-- `swimlanectl capture --clear` hold what the lane had opened, under key id 0 and with a tag of zeros.
local swimlane = Proto("swimlane", "swimlane")

swimlane.prefs.port = Pref.uint("UDP port", 7946, "Packets to and from this port")

local HEADER, PRELUDE, TAG = 40, 24, 16
local types = {
	[0x01] = "PING", [0x02] = "ACK", [0x03] = "NACK", [0x04] = "PING_REQ", [0x05] = "MEMBER", [0x06] = "JOIN",
	[0x07] = "JOIN_ACK", [0x08] = "TABLE_REQ", [0x09] = "TABLE",
	[0x00] = "PADDING", [0x0a] = "SIZE_PROBE", [0x0b] = "SIZE_ACK", [0x20] = "RECORD", [0x21] = "VERSION_REQ",
	[0x22] = "VECTOR", [0x23] = "SESSION_DATA", [0x24] = "SESSION_GET", [0x25] = "SESSION_DONE",
	[0x26] = "SESSION_REFUSE", [0x27] = "COLLECTED", [0x28] = "RELAY", [0x29] = "BUCKETS",
}
local states = { [0] = "alive", "suspect", "dead", "left", "forgotten" }
local reasons = { "starting", "busy", "unknown", "reconcile" }

local f = {}
local function field(name, make, ...)
	f[name] = make("swimlane." .. name, ...)
end
local H, D = base.HEX, base.DEC
field("magic", ProtoField.uint16, "Magic", H)
field("version", ProtoField.uint8, "Format version", D)
field("key_id", ProtoField.uint8, "Key id", D)
field("lane", ProtoField.uint8, "Lane", D)
field("flags", ProtoField.uint8, "Flags", H)
field("body_len", ProtoField.uint16, "Body length", D)
field("cluster", ProtoField.uint32, "Cluster", H)
field("sender_id", ProtoField.uint64, "Sender id", H)
field("sender_epoch", ProtoField.uint32, "Sender epoch", D)
field("instance", ProtoField.uint64, "Instance", H)
field("counter", ProtoField.uint64, "Counter", D)
field("sealed", ProtoField.bytes, "Sealed body")
field("tag", ProtoField.bytes, "Tag")
field("dst_id", ProtoField.uint64, "Destination id", H)
field("last_seq", ProtoField.uint64, "Last seq", D)
field("floor", ProtoField.uint64, "Floor", D)
field("type", ProtoField.uint8, "Type", H, types)
field("message_flags", ProtoField.uint8, "Flags", H)
field("payload_len", ProtoField.uint16, "Payload length", D)
field("payload", ProtoField.bytes, "Payload")
field("ignored", ProtoField.bytes, "Bytes of a later version")
field("seq", ProtoField.uint32, "Seq", D)
field("table_digest", ProtoField.uint64, "Table digest", H)
field("vector_hash", ProtoField.uint64, "Vector hash", H)
field("content_hash", ProtoField.uint64, "Content hash", H)
field("target_id", ProtoField.uint64, "Target id", H)
field("address", ProtoField.ipv6, "Address")
field("port", ProtoField.uint16, "Port", D)
field("id", ProtoField.uint64, "Id", H)
field("epoch", ProtoField.uint32, "Epoch", D)
field("life", ProtoField.uint64, "Instance", H)
field("incarnation", ProtoField.uint32, "Incarnation", D)
field("state", ProtoField.uint8, "State", D, states)
field("member_flags", ProtoField.uint8, "Flags", H)
field("drain", ProtoField.bool, "Drain", 8, nil, 0x01)
field("weight", ProtoField.uint16, "Weight", D)
field("accuser", ProtoField.uint64, "Accuser id", H)
field("name_len", ProtoField.uint8, "Name length", D)
field("zone_len", ProtoField.uint8, "Zone length", D)
field("name", ProtoField.string, "Name", base.UNICODE)
field("zone", ProtoField.string, "Zone", base.UNICODE)
field("epoch_seen", ProtoField.uint32, "Epoch seen", D)
field("instance_seen", ProtoField.uint64, "Instance seen", H)
field("asker_instance", ProtoField.uint64, "Asker's instance", H)
field("page", ProtoField.uint8, "Page", D)
field("pages", ProtoField.uint8, "Pages", D)
field("record_flags", ProtoField.uint8, "Flags", H)
field("tombstone", ProtoField.bool, "Tombstone", 8, nil, 0x01)
field("adopted", ProtoField.bool, "Adopted", 8, nil, 0x02)
field("previous", ProtoField.bool, "Previous", 8, nil, 0x04)
field("key_len", ProtoField.uint8, "Key length", D)
field("value_len", ProtoField.uint16, "Value length", D)
field("clock", ProtoField.uint64, "Clock", D)
field("author_id", ProtoField.uint64, "Author id", H)
field("author_epoch", ProtoField.uint32, "Author epoch", D)
field("author_seq", ProtoField.uint64, "Author seq", D)
field("written_ms", ProtoField.uint64, "Written at, ms", D)
field("dot_id", ProtoField.uint64, "Dot id", H)
field("dot_epoch", ProtoField.uint32, "Dot epoch", D)
field("dot_seq", ProtoField.uint64, "Dot seq", D)
field("previous_id", ProtoField.uint64, "Previous id", H)
field("previous_epoch", ProtoField.uint32, "Previous epoch", D)
field("previous_seq", ProtoField.uint64, "Previous seq", D)
field("key", ProtoField.bytes, "Key")
field("value", ProtoField.bytes, "Value")
field("nonce", ProtoField.uint64, "Nonce", H)
field("request_flags", ProtoField.uint8, "Flags", H)
field("first_session", ProtoField.bool, "First session", 8, nil, 0x01)
field("reconcile", ProtoField.bool, "Reconcile", 8, nil, 0x02)
field("report", ProtoField.bool, "Report", 8, nil, 0x04)
field("repair", ProtoField.bool, "Repair", 8, nil, 0x08)
field("part", ProtoField.uint8, "Part", D)
field("parts", ProtoField.uint8, "Parts", D)
field("entry_id", ProtoField.uint64, "Entry id", H)
field("entry_epoch", ProtoField.uint32, "Entry epoch", D)
field("entry_seq", ProtoField.uint64, "Entry seq", D)
field("entry_closed", ProtoField.bool, "Epoch closed", 8, nil, 0x80)
field("snapshot", ProtoField.uint32, "Snapshot", D)
field("index", ProtoField.uint32, "Index", D)
field("packets", ProtoField.uint32, "Packets", D)
field("heads", ProtoField.uint16, "Heads", D)
field("first", ProtoField.uint32, "First", D)
field("wanted", ProtoField.uint64, "Wanted", H)
field("reason", ProtoField.uint8, "Reason", D, reasons)
field("hops", ProtoField.uint8, "Hops", D)
field("sum", ProtoField.uint64, "Sum", H)
field("size", ProtoField.uint16, "Size seen", D)
field("size_max", ProtoField.uint16, "Largest packet taken", D)
field("padding", ProtoField.bytes, "Padding")
local all = {}
for _, one in pairs(f) do all[#all + 1] = one end
swimlane.fields = all

local cut = ProtoExpert.new("swimlane.cut", "Cut off, or a length that cannot be", expert.group.MALFORMED,
	expert.severity.ERROR)
local later = ProtoExpert.new("swimlane.later", "Of a later version, or not a packet", expert.group.UNDECODED,
	expert.severity.WARN)
swimlane.experts = { cut, later }

-- A place in a payload that never goes past its end: reading there marks the message instead.
local Cursor = {}
Cursor.__index = Cursor

local function cursor(range, tree)
	return setmetatable({ range = range, at = 0, tree = tree, ok = true }, Cursor)
end

function Cursor:left()
	return self.range and self.range:len() - self.at or 0
end

function Cursor:take(name, len)
	if not self.ok or self:left() < len then
		if self.ok then self.tree:add_proto_expert_info(cut) end
		self.ok = false
		return nil
	end
	if len == 0 then return nil end
	local bytes = self.range(self.at, len)
	self.at = self.at + len
	if name == "name" or name == "zone" then
		self.tree:add_packet_field(f[name], bytes, ENC_UTF_8)
	elseif name then
		self.tree:add(f[name], bytes)
	end
	return bytes
end

-- Fields one after the other: { name, length } pairs.
function Cursor:fields(...)
	for _, one in ipairs({ ... }) do self:take(one[1], one[2]) end
end

function Cursor:bits(len, ...)
	local bytes = self:take(nil, len)
	for _, name in ipairs({ ... }) do
		if bytes then self.tree:add(f[name], bytes) end
	end
	return bytes and bytes:uint() or 0
end

local read = {}

read[0x01] = function(c)
	c:fields({ "seq", 4 }, { "table_digest", 8 }, { "vector_hash", 8 }, { "content_hash", 8 })
end
read[0x02] = read[0x01]
read[0x03] = function(c) c:fields({ "seq", 4 }) end
read[0x04] = function(c) c:fields({ "seq", 4 }, { "target_id", 8 }, { "address", 16 }, { "port", 2 }) end
read[0x05] = function(c)
	c:fields({ "id", 8 }, { "epoch", 4 }, { "life", 8 }, { "incarnation", 4 }, { "state", 1 })
	c:bits(1, "member_flags", "drain")
	c:fields({ "weight", 2 }, { "address", 16 }, { "port", 2 }, { "accuser", 8 })
	local name, zone = c:take("name_len", 1), c:take("zone_len", 1)
	if zone then c:fields({ "name", name:uint() }, { "zone", zone:uint() }) end
end
read[0x06] = read[0x05]
read[0x07] = function(c) c:fields({ "epoch_seen", 4 }, { "instance_seen", 8 }, { "asker_instance", 8 }) end
read[0x08] = function() end
read[0x09] = function(c) c:fields({ "page", 1 }, { "pages", 1 }) end
read[0x20] = function(c)
	local flags = c:bits(1, "record_flags", "tombstone", "adopted", "previous")
	local key, value = c:take("key_len", 1), c:take("value_len", 2)
	c:fields({ "clock", 8 })
	local author = c:take(nil, 20)
	for _, whose in ipairs({ "author", flags % 4 < 2 and "dot" or nil }) do
		if author then
			-- The dot is the author's unless the record was adopted.
			for name, place in pairs({ id = { 0, 8 }, epoch = { 8, 4 }, seq = { 12, 8 } }) do
				local item = c.tree:add(f[whose .. "_" .. name], author(place[1], place[2]))
				if whose == "dot" then item:set_generated() end
			end
		end
	end
	c:fields({ "written_ms", 8 })
	if flags % 4 >= 2 then c:fields({ "dot_id", 8 }, { "dot_epoch", 4 }, { "dot_seq", 8 }) end
	if flags % 8 >= 4 then c:fields({ "previous_id", 8 }, { "previous_epoch", 4 }, { "previous_seq", 8 }) end
	if value then c:fields({ "key", key:uint() }, { "value", value:uint() }) end
end
read[0x00] = function(c) c:take("padding", c:left()) end
read[0x0a] = function(c) c:fields({ "seq", 4 }, { "size_max", 2 }) end
read[0x0b] = function(c) c:fields({ "seq", 4 }, { "size", 2 }, { "size_max", 2 }) end
read[0x21] = function(c)
	c:fields({ "nonce", 8 })
	c:bits(1, "request_flags", "first_session", "reconcile", "report", "repair")
	c:fields({ "part", 1 }, { "parts", 1 })
end
read[0x22] = function(c)
	while c.ok and c:left() > 0 do
		c:fields({ "entry_id", 8 }, { "entry_epoch", 4 })
		local seq = c:take(nil, 8)
		if not seq then return end
		c.tree:add(f.entry_closed, seq(0, 1))
		-- Without the mark, so that the number is the cap.
		c.tree:add(f.entry_seq, seq, UInt64(seq(4, 4):uint(), seq(0, 4):uint() % 0x80000000))
	end
end
read[0x23] = function(c)
	c:fields({ "nonce", 8 }, { "snapshot", 4 }, { "index", 4 }, { "packets", 4 }, { "heads", 2 })
end
read[0x24] = function(c)
	c:fields({ "nonce", 8 }, { "snapshot", 4 }, { "first", 4 }, { "wanted", 8 }, { "wanted", 8 })
end
read[0x25] = function(c) c:fields({ "nonce", 8 }) end
read[0x26] = function(c) c:fields({ "nonce", 8 }, { "reason", 1 }) end
read[0x27] = read[0x22]
read[0x28] = function(c) c:fields({ "hops", 1 }) end
read[0x29] = function(c)
	for _ = 1, 128 do c:take("sum", 8) end
end

local function message(body, at, tree, told)
	if body:len() - at < 4 then
		tree:add_proto_expert_info(cut)
		return nil
	end
	local type, len = body(at, 1):uint(), body(at + 2, 2):uint()
	if body:len() - at - 4 < len then
		tree:add_proto_expert_info(cut)
		return nil
	end
	local name = types[type] or string.format("type 0x%02x", type)
	local sub = tree:add(swimlane, body(at, 4 + len), name)
	sub:add(f.type, body(at, 1))
	sub:add(f.message_flags, body(at + 1, 1))
	sub:add(f.payload_len, body(at + 2, 2))
	told[#told + 1] = name
	local payload = len > 0 and body(at + 4, len) or nil
	if read[type] then
		local c = cursor(payload, sub)
		read[type](c)
		if c.ok and c:left() > 0 then sub:add(f.ignored, payload(c.at)) end
	elseif payload then
		sub:add(f.payload, payload)
		sub:add_proto_expert_info(later)
	end
	return at + 4 + len
end

local function body_in_the_clear(body, tree, told)
	if body:len() < PRELUDE then
		tree:add_proto_expert_info(cut)
		return
	end
	tree:add(f.dst_id, body(0, 8))
	tree:add(f.last_seq, body(8, 8))
	tree:add(f.floor, body(16, 8))
	local at = PRELUDE
	while at and at < body:len() do at = message(body, at, tree, told) end
end

function swimlane.dissector(buffer, pinfo, root)
	-- A capture may have kept the header alone.
	local len, held = buffer:reported_len(), buffer:captured_len()
	if len < HEADER + TAG or held < HEADER or buffer(0, 2):uint() ~= 0x5357 then return 0 end
	pinfo.cols.protocol = "swimlane"
	local tree = root:add(swimlane, buffer(0, held))
	tree:add(f.magic, buffer(0, 2))
	tree:add(f.version, buffer(2, 1))
	if buffer(2, 1):uint() ~= 1 then
		tree:add_proto_expert_info(later)
		return len
	end
	tree:add(f.key_id, buffer(3, 1))
	tree:add(f.lane, buffer(4, 1))
	tree:add(f.flags, buffer(5, 1))
	tree:add(f.body_len, buffer(6, 2))
	tree:add(f.cluster, buffer(8, 4))
	tree:add(f.sender_id, buffer(12, 8))
	tree:add(f.sender_epoch, buffer(20, 4))
	tree:add(f.instance, buffer(24, 8))
	tree:add(f.counter, buffer(32, 8))
	local key_id, body_len, told = buffer(3, 1):uint(), buffer(6, 2):uint(), {}
	if HEADER + body_len + TAG ~= len then
		tree:add_proto_expert_info(cut)
		return len
	end
	if held < len then
		pinfo.cols.info = string.format("header of a packet under key %d, body of %d bytes", key_id, body_len)
		return len
	end
	if key_id == 0 then
		body_in_the_clear(buffer(HEADER, body_len), tree, told)
		pinfo.cols.info = table.concat(told, ", ")
	else
		tree:add(f.sealed, buffer(HEADER, body_len))
		pinfo.cols.info = string.format("sealed with key %d, %d bytes", key_id, body_len)
	end
	tree:add(f.tag, buffer(HEADER + body_len, TAG))
	return len
end

local udp, bound = DissectorTable.get("udp.port"), nil
local function bind()
	if bound then udp:remove(bound, swimlane) end
	bound = swimlane.prefs.port
	udp:add(bound, swimlane)
end
function swimlane.prefs_changed() bind() end
bind()
