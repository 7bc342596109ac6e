/*eslint-disable block-scoped-var, id-length, no-control-regex, no-magic-numbers, no-mixed-operators, no-prototype-builtins, no-redeclare, no-shadow, no-var, sort-vars, default-case, jsdoc/require-param*/
import $protobuf from "protobufjs/minimal.js";

const $Reader = $protobuf.Reader, $util = $protobuf.util;
const $Object = $util.global.Object, $undefined = $util.global.undefined, $Error = $util.global.Error, $RangeError = $util.global.RangeError;

const $root = $protobuf.roots["from-client"] || ($protobuf.roots["from-client"] = {});

export const ClientFrame = $root.ClientFrame = (() => {

    const ClientFrame = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    ClientFrame.prototype.id = 0;
    ClientFrame.prototype.connect = null;
    ClientFrame.prototype.subscribe = null;
    ClientFrame.prototype.unsubscribe = null;
    ClientFrame.prototype.publish = null;
    ClientFrame.prototype.history = null;
    ClientFrame.prototype.presence = null;
    ClientFrame.prototype.status = null;
    ClientFrame.prototype.refresh = null;
    ClientFrame.prototype.ping = null;
    ClientFrame.prototype.call = null;
    ClientFrame.prototype.setKeys = null;

    let $oneOfFields;

    $Object.defineProperty(ClientFrame.prototype, "command", {
        get: $util.oneOfGetter($oneOfFields = ["connect", "subscribe", "unsubscribe", "publish", "history", "presence", "status", "refresh", "ping", "call", "setKeys"]),
        set: $util.oneOfSetter($oneOfFields)
    });

    ClientFrame.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message, value;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.ClientFrame();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 0)
                        break;
                    if (value = reader.uint32())
                        message.id = value;
                    else
                        delete message.id;
                    continue;
                }
            case 2: {
                    if (wireType !== 2)
                        break;
                    message.connect = $root.Connect.decode(reader, reader.size(), $undefined, _depth + 1, message.connect);
                    message.command = "connect";
                    continue;
                }
            case 3: {
                    if (wireType !== 2)
                        break;
                    message.subscribe = $root.Subscribe.decode(reader, reader.size(), $undefined, _depth + 1, message.subscribe);
                    message.command = "subscribe";
                    continue;
                }
            case 4: {
                    if (wireType !== 2)
                        break;
                    message.unsubscribe = $root.Unsubscribe.decode(reader, reader.size(), $undefined, _depth + 1, message.unsubscribe);
                    message.command = "unsubscribe";
                    continue;
                }
            case 5: {
                    if (wireType !== 2)
                        break;
                    message.publish = $root.Publish.decode(reader, reader.size(), $undefined, _depth + 1, message.publish);
                    message.command = "publish";
                    continue;
                }
            case 6: {
                    if (wireType !== 2)
                        break;
                    message.history = $root.History.decode(reader, reader.size(), $undefined, _depth + 1, message.history);
                    message.command = "history";
                    continue;
                }
            case 7: {
                    if (wireType !== 2)
                        break;
                    message.presence = $root.Presence.decode(reader, reader.size(), $undefined, _depth + 1, message.presence);
                    message.command = "presence";
                    continue;
                }
            case 8: {
                    if (wireType !== 2)
                        break;
                    message.status = $root.Status.decode(reader, reader.size(), $undefined, _depth + 1, message.status);
                    message.command = "status";
                    continue;
                }
            case 9: {
                    if (wireType !== 2)
                        break;
                    message.refresh = $root.Refresh.decode(reader, reader.size(), $undefined, _depth + 1, message.refresh);
                    message.command = "refresh";
                    continue;
                }
            case 10: {
                    if (wireType !== 2)
                        break;
                    message.ping = $root.Ping.decode(reader, reader.size(), $undefined, _depth + 1, message.ping);
                    message.command = "ping";
                    continue;
                }
            case 11: {
                    if (wireType !== 2)
                        break;
                    message.call = $root.Call.decode(reader, reader.size(), $undefined, _depth + 1, message.call);
                    message.command = "call";
                    continue;
                }
            case 12: {
                    if (wireType !== 2)
                        break;
                    message.setKeys = $root.SetKeys.decode(reader, reader.size(), $undefined, _depth + 1, message.setKeys);
                    message.command = "setKeys";
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return ClientFrame;
})();

export const Connect = $root.Connect = (() => {

    const Connect = function (properties) {
        this.capabilities = [];
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Connect.prototype.token = "";
    Connect.prototype.client = "";
    Connect.prototype.capabilities = $util.emptyArray;

    Connect.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message, value;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.Connect();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.token = value;
                    else
                        delete message.token;
                    continue;
                }
            case 2: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.client = value;
                    else
                        delete message.client;
                    continue;
                }
            case 3: {
                    if (wireType !== 2)
                        break;
                    if (!(message.capabilities && message.capabilities.length))
                        message.capabilities = [];
                    message.capabilities.push(reader.stringVerify());
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return Connect;
})();

export const Subscribe = $root.Subscribe = (() => {

    const Subscribe = function (properties) {
        this.subscriptions = [];
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Subscribe.prototype.subscriptions = $util.emptyArray;

    Subscribe.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.Subscribe();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 2)
                        break;
                    if (!(message.subscriptions && message.subscriptions.length))
                        message.subscriptions = [];
                    message.subscriptions.push($root.Subscription.decode(reader, reader.size(), $undefined, _depth + 1));
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return Subscribe;
})();

export const Subscription = $root.Subscription = (() => {

    const Subscription = function (properties) {
        this.positions = [];
        this.keys = [];
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Subscription.prototype.topic = "";
    Subscription.prototype.since = null;
    Subscription.prototype.positions = $util.emptyArray;
    Subscription.prototype.last = 0;
    Subscription.prototype.filter = null;
    Subscription.prototype.intervalMs = 0;
    Subscription.prototype.conflate = false;
    Subscription.prototype.cursor = "";
    Subscription.prototype.token = "";
    Subscription.prototype.presence = false;
    Subscription.prototype.keys = $util.emptyArray;

    Subscription.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message, value;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.Subscription();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.topic = value;
                    else
                        delete message.topic;
                    continue;
                }
            case 2: {
                    if (wireType !== 2)
                        break;
                    message.since = $root.Position.decode(reader, reader.size(), $undefined, _depth + 1, message.since);
                    continue;
                }
            case 3: {
                    if (wireType !== 2)
                        break;
                    if (!(message.positions && message.positions.length))
                        message.positions = [];
                    message.positions.push($root.TopicPosition.decode(reader, reader.size(), $undefined, _depth + 1));
                    continue;
                }
            case 4: {
                    if (wireType !== 0)
                        break;
                    if (value = reader.uint32())
                        message.last = value;
                    else
                        delete message.last;
                    continue;
                }
            case 5: {
                    if (wireType !== 2)
                        break;
                    message.filter = $root.Filter.decode(reader, reader.size(), $undefined, _depth + 1, message.filter);
                    continue;
                }
            case 6: {
                    if (wireType !== 0)
                        break;
                    if (value = reader.uint32())
                        message.intervalMs = value;
                    else
                        delete message.intervalMs;
                    continue;
                }
            case 7: {
                    if (wireType !== 0)
                        break;
                    if (value = reader.bool())
                        message.conflate = value;
                    else
                        delete message.conflate;
                    continue;
                }
            case 9: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.cursor = value;
                    else
                        delete message.cursor;
                    continue;
                }
            case 11: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.token = value;
                    else
                        delete message.token;
                    continue;
                }
            case 8: {
                    if (wireType !== 0)
                        break;
                    if (value = reader.bool())
                        message.presence = value;
                    else
                        delete message.presence;
                    continue;
                }
            case 10: {
                    if (wireType !== 2)
                        break;
                    if (!(message.keys && message.keys.length))
                        message.keys = [];
                    message.keys.push(reader.stringVerify());
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return Subscription;
})();

export const Position = $root.Position = (() => {

    const Position = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Position.prototype.epoch = "";
    Position.prototype.offset = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

    Position.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message, value;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.Position();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.epoch = value;
                    else
                        delete message.epoch;
                    continue;
                }
            case 2: {
                    if (wireType !== 0)
                        break;
                    if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                        message.offset = value;
                    else
                        delete message.offset;
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return Position;
})();

export const TopicPosition = $root.TopicPosition = (() => {

    const TopicPosition = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    TopicPosition.prototype.topic = "";
    TopicPosition.prototype.epoch = "";
    TopicPosition.prototype.offset = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

    TopicPosition.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message, value;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.TopicPosition();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.topic = value;
                    else
                        delete message.topic;
                    continue;
                }
            case 2: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.epoch = value;
                    else
                        delete message.epoch;
                    continue;
                }
            case 3: {
                    if (wireType !== 0)
                        break;
                    if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                        message.offset = value;
                    else
                        delete message.offset;
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return TopicPosition;
})();

export const Filter = $root.Filter = (() => {

    const Filter = function (properties) {
        this.values = [];
        this.filters = [];
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Filter.prototype.op = 0;
    Filter.prototype.tag = "";
    Filter.prototype.values = $util.emptyArray;
    Filter.prototype.number = 0;
    Filter.prototype.filters = $util.emptyArray;

    Filter.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message, value;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.Filter();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 0)
                        break;
                    if (value = reader.int32())
                        message.op = value;
                    else
                        delete message.op;
                    continue;
                }
            case 2: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.tag = value;
                    else
                        delete message.tag;
                    continue;
                }
            case 3: {
                    if (wireType !== 2)
                        break;
                    if (!(message.values && message.values.length))
                        message.values = [];
                    message.values.push(reader.stringVerify());
                    continue;
                }
            case 4: {
                    if (wireType !== 1)
                        break;
                    if (!$Object.is(value = reader.double(), 0))
                        message.number = value;
                    else
                        delete message.number;
                    continue;
                }
            case 5: {
                    if (wireType !== 2)
                        break;
                    if (!(message.filters && message.filters.length))
                        message.filters = [];
                    message.filters.push($root.Filter.decode(reader, reader.size(), $undefined, _depth + 1));
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    Filter.Operator = (function() {
        const valuesById = $Object.create(null), values = $Object.create(valuesById);
        values[valuesById[0] = "OPERATOR_UNSPECIFIED"] = 0;
        values[valuesById[1] = "OPERATOR_EQ"] = 1;
        values[valuesById[2] = "OPERATOR_IN"] = 2;
        values[valuesById[3] = "OPERATOR_PREFIX"] = 3;
        values[valuesById[4] = "OPERATOR_LT"] = 4;
        values[valuesById[5] = "OPERATOR_LTE"] = 5;
        values[valuesById[6] = "OPERATOR_GT"] = 6;
        values[valuesById[7] = "OPERATOR_GTE"] = 7;
        values[valuesById[8] = "OPERATOR_EXISTS"] = 8;
        values[valuesById[9] = "OPERATOR_AND"] = 9;
        values[valuesById[10] = "OPERATOR_OR"] = 10;
        values[valuesById[11] = "OPERATOR_NOT"] = 11;
        return values;
    })();

    return Filter;
})();

export const Unsubscribe = $root.Unsubscribe = (() => {

    const Unsubscribe = function (properties) {
        this.views = [];
        this.topics = [];
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Unsubscribe.prototype.views = $util.emptyArray;
    Unsubscribe.prototype.topics = $util.emptyArray;

    Unsubscribe.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.Unsubscribe();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType === 2) {
                        if (!(message.views && message.views.length))
                            message.views = [];
                        reader.uint32s(message.views);
                        continue;
                    }
                    if (wireType !== 0)
                        break;
                    if (!(message.views && message.views.length))
                        message.views = [];
                    message.views.push(reader.uint32());
                    continue;
                }
            case 2: {
                    if (wireType !== 2)
                        break;
                    if (!(message.topics && message.topics.length))
                        message.topics = [];
                    message.topics.push(reader.stringVerify());
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return Unsubscribe;
})();

export const Publish = $root.Publish = (() => {

    const Publish = function (properties) {
        this.tags = {};
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Publish.prototype.topic = "";
    Publish.prototype.type = "";
    Publish.prototype.json = null;
    Publish.prototype.binary = null;
    Publish.prototype.key = "";
    Publish.prototype.tags = $util.emptyObject;
    Publish.prototype.messageId = "";
    Publish.prototype.ttlMs = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    Publish.prototype.except = "";
    Publish.prototype.timestampMs = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    Publish.prototype.removed = false;
    Publish.prototype.expectedOffset = null;
    Publish.prototype.pipelined = false;

    let $oneOfFields;

    $Object.defineProperty(Publish.prototype, "payload", {
        get: $util.oneOfGetter($oneOfFields = ["json", "binary"]),
        set: $util.oneOfSetter($oneOfFields)
    });

    // Virtual OneOf for proto3 optional field
    $Object.defineProperty(Publish.prototype, "_expectedOffset", {
        get: $util.oneOfGetter($oneOfFields = ["expectedOffset"]),
        set: $util.oneOfSetter($oneOfFields)
    });

    Publish.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message, key, value;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.Publish();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.topic = value;
                    else
                        delete message.topic;
                    continue;
                }
            case 2: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.type = value;
                    else
                        delete message.type;
                    continue;
                }
            case 3: {
                    if (wireType !== 2)
                        break;
                    message.json = reader.bytes();
                    message.payload = "json";
                    continue;
                }
            case 4: {
                    if (wireType !== 2)
                        break;
                    message.binary = reader.bytes();
                    message.payload = "binary";
                    continue;
                }
            case 5: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.key = value;
                    else
                        delete message.key;
                    continue;
                }
            case 6: {
                    if (wireType !== 2)
                        break;
                    if (message.tags === $util.emptyObject)
                        message.tags = {};
                    let end2 = reader.size() + reader.pos;
                    if (end2 > reader.len)
                        throw $RangeError("index out of range");
                    reader.len = end2;
                    key = "";
                    value = "";
                    while (reader.pos < end2) {
                        let tag2 = reader.tag();
                        wireType = tag2 & 7;
                        switch (tag2 >>>= 3) {
                        case 1:
                            if (wireType !== 2)
                                break;
                            key = reader.stringVerify();
                            continue;
                        case 2:
                            if (wireType !== 2)
                                break;
                            value = reader.stringVerify();
                            continue;
                        }
                        reader.skipType(wireType, _depth, tag2);
                    }
                    if (reader.pos !== end2)
                        throw $RangeError("index out of range");
                    reader.len = end;
                    if (key === "__proto__")
                        $util.makeProp(message.tags, key);
                    message.tags[key] = value;
                    continue;
                }
            case 7: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.messageId = value;
                    else
                        delete message.messageId;
                    continue;
                }
            case 8: {
                    if (wireType !== 0)
                        break;
                    if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                        message.ttlMs = value;
                    else
                        delete message.ttlMs;
                    continue;
                }
            case 9: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.except = value;
                    else
                        delete message.except;
                    continue;
                }
            case 10: {
                    if (wireType !== 0)
                        break;
                    if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                        message.timestampMs = value;
                    else
                        delete message.timestampMs;
                    continue;
                }
            case 11: {
                    if (wireType !== 0)
                        break;
                    if (value = reader.bool())
                        message.removed = value;
                    else
                        delete message.removed;
                    continue;
                }
            case 12: {
                    if (wireType !== 0)
                        break;
                    message.expectedOffset = reader.uint64();
                    message._expectedOffset = "expectedOffset";
                    continue;
                }
            case 13: {
                    if (wireType !== 0)
                        break;
                    if (value = reader.bool())
                        message.pipelined = value;
                    else
                        delete message.pipelined;
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return Publish;
})();

export const History = $root.History = (() => {

    const History = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    History.prototype.topic = "";
    History.prototype.after = null;
    History.prototype.limit = 0;

    let $oneOfFields;

    // Virtual OneOf for proto3 optional field
    $Object.defineProperty(History.prototype, "_after", {
        get: $util.oneOfGetter($oneOfFields = ["after"]),
        set: $util.oneOfSetter($oneOfFields)
    });

    History.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message, value;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.History();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.topic = value;
                    else
                        delete message.topic;
                    continue;
                }
            case 2: {
                    if (wireType !== 0)
                        break;
                    message.after = reader.uint64();
                    message._after = "after";
                    continue;
                }
            case 3: {
                    if (wireType !== 0)
                        break;
                    if (value = reader.uint32())
                        message.limit = value;
                    else
                        delete message.limit;
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return History;
})();

export const Presence = $root.Presence = (() => {

    const Presence = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Presence.prototype.topic = "";

    Presence.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message, value;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.Presence();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.topic = value;
                    else
                        delete message.topic;
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return Presence;
})();

export const Status = $root.Status = (() => {

    const Status = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Status.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.Status();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            reader.skipType(tag & 7, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return Status;
})();

export const Refresh = $root.Refresh = (() => {

    const Refresh = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Refresh.prototype.token = "";

    Refresh.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message, value;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.Refresh();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.token = value;
                    else
                        delete message.token;
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return Refresh;
})();

export const Ping = $root.Ping = (() => {

    const Ping = function (properties) {
        this.acks = [];
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Ping.prototype.roundTripMs = 0;
    Ping.prototype.acks = $util.emptyArray;

    Ping.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message, value;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.Ping();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 1)
                        break;
                    if (!$Object.is(value = reader.double(), 0))
                        message.roundTripMs = value;
                    else
                        delete message.roundTripMs;
                    continue;
                }
            case 2: {
                    if (wireType !== 2)
                        break;
                    if (!(message.acks && message.acks.length))
                        message.acks = [];
                    message.acks.push($root.Ack.decode(reader, reader.size(), $undefined, _depth + 1));
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return Ping;
})();

export const Ack = $root.Ack = (() => {

    const Ack = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Ack.prototype.view = 0;
    Ack.prototype.offset = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    Ack.prototype.epoch = "";

    Ack.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message, value;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.Ack();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 0)
                        break;
                    if (value = reader.uint32())
                        message.view = value;
                    else
                        delete message.view;
                    continue;
                }
            case 2: {
                    if (wireType !== 0)
                        break;
                    if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                        message.offset = value;
                    else
                        delete message.offset;
                    continue;
                }
            case 3: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.epoch = value;
                    else
                        delete message.epoch;
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return Ack;
})();

export const Call = $root.Call = (() => {

    const Call = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Call.prototype.method = "";
    Call.prototype.json = null;
    Call.prototype.binary = null;

    let $oneOfFields;

    $Object.defineProperty(Call.prototype, "payload", {
        get: $util.oneOfGetter($oneOfFields = ["json", "binary"]),
        set: $util.oneOfSetter($oneOfFields)
    });

    Call.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message, value;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.Call();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 2)
                        break;
                    if ((value = reader.stringVerify()).length)
                        message.method = value;
                    else
                        delete message.method;
                    continue;
                }
            case 2: {
                    if (wireType !== 2)
                        break;
                    message.json = reader.bytes();
                    message.payload = "json";
                    continue;
                }
            case 3: {
                    if (wireType !== 2)
                        break;
                    message.binary = reader.bytes();
                    message.payload = "binary";
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return Call;
})();

export const SetKeys = $root.SetKeys = (() => {

    const SetKeys = function (properties) {
        this.keys = [];
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    SetKeys.prototype.view = 0;
    SetKeys.prototype.keys = $util.emptyArray;

    SetKeys.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader))
            reader = $Reader.create(reader);
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $Reader.recursionLimit)
            throw $Error("max depth exceeded");
        let end, message, value;
        if (length === $undefined)
            end = reader.len;
        else {
            end = reader.pos + length;
            if (end > reader.len)
                throw $RangeError("index out of range");
            length = reader.len;
            reader.len = end;
        }
        message = _target || new $root.SetKeys();
        while (reader.pos < end) {
            let start = reader.pos;
            let tag = reader.tag();
            if (tag === _end) {
                _end = $undefined;
                break;
            }
            let wireType = tag & 7;
            switch (tag >>>= 3) {
            case 1: {
                    if (wireType !== 0)
                        break;
                    if (value = reader.uint32())
                        message.view = value;
                    else
                        delete message.view;
                    continue;
                }
            case 2: {
                    if (wireType !== 2)
                        break;
                    if (!(message.keys && message.keys.length))
                        message.keys = [];
                    message.keys.push(reader.stringVerify());
                    continue;
                }
            }
            reader.skipType(wireType, _depth, tag);
            if (!reader.discardUnknown) {
                $util.makeProp(message, "$unknowns", false);
                (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
            }
        }
        if (length !== $undefined) {
            if (reader.pos !== end)
                throw $RangeError("index out of range");
            reader.len = length;
        }
        if (_end !== $undefined)
            throw $Error("missing end group");
        return message;
    };

    return SetKeys;
})();

export {
  $root as default
};
