/*eslint-disable block-scoped-var, id-length, no-control-regex, no-magic-numbers, no-mixed-operators, no-prototype-builtins, no-redeclare, no-shadow, no-var, sort-vars, default-case, jsdoc/require-param*/
import $protobuf from "protobufjs/minimal.js";

const $Writer = $protobuf.Writer, $util = $protobuf.util;
const $Object = $util.global.Object, $undefined = $util.global.undefined, $Error = $util.global.Error;

const $root = $protobuf.roots["to-client"] || ($protobuf.roots["to-client"] = {});

export const ServerFrame = $root.ServerFrame = (() => {

    const ServerFrame = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    ServerFrame.prototype.id = 0;
    ServerFrame.prototype.connected = null;
    ServerFrame.prototype.subscribed = null;
    ServerFrame.prototype.unsubscribed = null;
    ServerFrame.prototype.published = null;
    ServerFrame.prototype.history = null;
    ServerFrame.prototype.presence = null;
    ServerFrame.prototype.status = null;
    ServerFrame.prototype.refreshed = null;
    ServerFrame.prototype.pong = null;
    ServerFrame.prototype.result = null;
    ServerFrame.prototype.error = null;
    ServerFrame.prototype.batch = null;
    ServerFrame.prototype.reset = null;
    ServerFrame.prototype.snapshot = null;
    ServerFrame.prototype.joined = null;
    ServerFrame.prototype.left = null;
    ServerFrame.prototype.lagging = null;
    ServerFrame.prototype.caughtUp = null;
    ServerFrame.prototype.message = null;
    ServerFrame.prototype.goingAway = null;
    ServerFrame.prototype.dictionary = null;
    ServerFrame.prototype.tokenExpiring = null;
    ServerFrame.prototype.gatewayState = null;

    let $oneOfFields;

    $Object.defineProperty(ServerFrame.prototype, "kind", {
        get: $util.oneOfGetter($oneOfFields = ["connected", "subscribed", "unsubscribed", "published", "history", "presence", "status", "refreshed", "pong", "result", "error", "batch", "reset", "snapshot", "joined", "left", "lagging", "caughtUp", "message", "goingAway", "dictionary", "tokenExpiring", "gatewayState"]),
        set: $util.oneOfSetter($oneOfFields)
    });

    ServerFrame.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.id != null && $Object.hasOwnProperty.call(message, "id") && message.id !== 0)
            writer.uint32(8).uint32(message.id);
        if (message.connected != null && $Object.hasOwnProperty.call(message, "connected"))
            $root.Connected.encode(message.connected, writer.uint32(18).fork(), _depth + 1).ldelim();
        if (message.subscribed != null && $Object.hasOwnProperty.call(message, "subscribed"))
            $root.Subscribed.encode(message.subscribed, writer.uint32(26).fork(), _depth + 1).ldelim();
        if (message.unsubscribed != null && $Object.hasOwnProperty.call(message, "unsubscribed"))
            $root.Unsubscribed.encode(message.unsubscribed, writer.uint32(34).fork(), _depth + 1).ldelim();
        if (message.published != null && $Object.hasOwnProperty.call(message, "published"))
            $root.Published.encode(message.published, writer.uint32(42).fork(), _depth + 1).ldelim();
        if (message.history != null && $Object.hasOwnProperty.call(message, "history"))
            $root.HistoryPage.encode(message.history, writer.uint32(50).fork(), _depth + 1).ldelim();
        if (message.presence != null && $Object.hasOwnProperty.call(message, "presence"))
            $root.PresenceList.encode(message.presence, writer.uint32(58).fork(), _depth + 1).ldelim();
        if (message.status != null && $Object.hasOwnProperty.call(message, "status"))
            $root.SessionStatus.encode(message.status, writer.uint32(66).fork(), _depth + 1).ldelim();
        if (message.refreshed != null && $Object.hasOwnProperty.call(message, "refreshed"))
            $root.Refreshed.encode(message.refreshed, writer.uint32(74).fork(), _depth + 1).ldelim();
        if (message.pong != null && $Object.hasOwnProperty.call(message, "pong"))
            $root.Pong.encode(message.pong, writer.uint32(82).fork(), _depth + 1).ldelim();
        if (message.result != null && $Object.hasOwnProperty.call(message, "result"))
            $root.Result.encode(message.result, writer.uint32(90).fork(), _depth + 1).ldelim();
        if (message.error != null && $Object.hasOwnProperty.call(message, "error"))
            $root.Error.encode(message.error, writer.uint32(98).fork(), _depth + 1).ldelim();
        if (message.batch != null && $Object.hasOwnProperty.call(message, "batch"))
            $root.Batch.encode(message.batch, writer.uint32(106).fork(), _depth + 1).ldelim();
        if (message.reset != null && $Object.hasOwnProperty.call(message, "reset"))
            $root.Reset.encode(message.reset, writer.uint32(114).fork(), _depth + 1).ldelim();
        if (message.snapshot != null && $Object.hasOwnProperty.call(message, "snapshot"))
            $root.Snapshot.encode(message.snapshot, writer.uint32(122).fork(), _depth + 1).ldelim();
        if (message.joined != null && $Object.hasOwnProperty.call(message, "joined"))
            $root.Joined.encode(message.joined, writer.uint32(130).fork(), _depth + 1).ldelim();
        if (message.left != null && $Object.hasOwnProperty.call(message, "left"))
            $root.Left.encode(message.left, writer.uint32(138).fork(), _depth + 1).ldelim();
        if (message.lagging != null && $Object.hasOwnProperty.call(message, "lagging"))
            $root.Lagging.encode(message.lagging, writer.uint32(146).fork(), _depth + 1).ldelim();
        if (message.caughtUp != null && $Object.hasOwnProperty.call(message, "caughtUp"))
            $root.CaughtUp.encode(message.caughtUp, writer.uint32(154).fork(), _depth + 1).ldelim();
        if (message.message != null && $Object.hasOwnProperty.call(message, "message"))
            $root.Message.encode(message.message, writer.uint32(162).fork(), _depth + 1).ldelim();
        if (message.goingAway != null && $Object.hasOwnProperty.call(message, "goingAway"))
            $root.GoingAway.encode(message.goingAway, writer.uint32(170).fork(), _depth + 1).ldelim();
        if (message.dictionary != null && $Object.hasOwnProperty.call(message, "dictionary"))
            $root.Dictionary.encode(message.dictionary, writer.uint32(178).fork(), _depth + 1).ldelim();
        if (message.tokenExpiring != null && $Object.hasOwnProperty.call(message, "tokenExpiring"))
            $root.TokenExpiring.encode(message.tokenExpiring, writer.uint32(186).fork(), _depth + 1).ldelim();
        if (message.gatewayState != null && $Object.hasOwnProperty.call(message, "gatewayState"))
            $root.GatewayState.encode(message.gatewayState, writer.uint32(194).fork(), _depth + 1).ldelim();
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return ServerFrame;
})();

export const Connected = $root.Connected = (() => {

    const Connected = function (properties) {
        this.capabilities = [];
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Connected.prototype.session = "";
    Connected.prototype.timeMs = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    Connected.prototype.version = "";
    Connected.prototype.user = "";
    Connected.prototype.limits = null;
    Connected.prototype.capabilities = $util.emptyArray;
    Connected.prototype.expiresMs = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    Connected.prototype.degraded = false;

    Connected.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.session != null && $Object.hasOwnProperty.call(message, "session") && message.session !== "")
            writer.uint32(10).string(message.session);
        if (message.timeMs != null && $Object.hasOwnProperty.call(message, "timeMs") && (typeof message.timeMs === "object" ? message.timeMs.low || message.timeMs.high : message.timeMs !== 0))
            writer.uint32(16).uint64(message.timeMs);
        if (message.version != null && $Object.hasOwnProperty.call(message, "version") && message.version !== "")
            writer.uint32(26).string(message.version);
        if (message.user != null && $Object.hasOwnProperty.call(message, "user") && message.user !== "")
            writer.uint32(34).string(message.user);
        if (message.limits != null && $Object.hasOwnProperty.call(message, "limits"))
            $root.Limits.encode(message.limits, writer.uint32(42).fork(), _depth + 1).ldelim();
        if (message.capabilities != null && message.capabilities.length)
            for (let i = 0; i < message.capabilities.length; ++i)
                writer.uint32(50).string(message.capabilities[i]);
        if (message.expiresMs != null && $Object.hasOwnProperty.call(message, "expiresMs") && (typeof message.expiresMs === "object" ? message.expiresMs.low || message.expiresMs.high : message.expiresMs !== 0))
            writer.uint32(56).uint64(message.expiresMs);
        if (message.degraded != null && $Object.hasOwnProperty.call(message, "degraded") && message.degraded !== false)
            writer.uint32(64).bool(message.degraded);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Connected;
})();

export const Limits = $root.Limits = (() => {

    const Limits = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Limits.prototype.frameMaxBytes = 0;
    Limits.prototype.payloadMaxBytes = 0;
    Limits.prototype.subscriptions = 0;
    Limits.prototype.commandsPerSecond = 0;
    Limits.prototype.idleTimeoutMs = 0;

    Limits.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.frameMaxBytes != null && $Object.hasOwnProperty.call(message, "frameMaxBytes") && message.frameMaxBytes !== 0)
            writer.uint32(8).uint32(message.frameMaxBytes);
        if (message.payloadMaxBytes != null && $Object.hasOwnProperty.call(message, "payloadMaxBytes") && message.payloadMaxBytes !== 0)
            writer.uint32(16).uint32(message.payloadMaxBytes);
        if (message.subscriptions != null && $Object.hasOwnProperty.call(message, "subscriptions") && message.subscriptions !== 0)
            writer.uint32(24).uint32(message.subscriptions);
        if (message.commandsPerSecond != null && $Object.hasOwnProperty.call(message, "commandsPerSecond") && message.commandsPerSecond !== 0)
            writer.uint32(32).uint32(message.commandsPerSecond);
        if (message.idleTimeoutMs != null && $Object.hasOwnProperty.call(message, "idleTimeoutMs") && message.idleTimeoutMs !== 0)
            writer.uint32(40).uint32(message.idleTimeoutMs);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Limits;
})();

export const Subscribed = $root.Subscribed = (() => {

    const Subscribed = function (properties) {
        this.results = [];
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Subscribed.prototype.results = $util.emptyArray;

    Subscribed.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.results != null && message.results.length)
            for (let i = 0; i < message.results.length; ++i)
                $root.SubscribeResult.encode(message.results[i], writer.uint32(10).fork(), _depth + 1).ldelim();
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Subscribed;
})();

export const SubscribeResult = $root.SubscribeResult = (() => {

    const SubscribeResult = function (properties) {
        this.topics = [];
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    SubscribeResult.prototype.topic = "";
    SubscribeResult.prototype.error = null;
    SubscribeResult.prototype.view = 0;
    SubscribeResult.prototype.mode = 0;
    SubscribeResult.prototype.epoch = "";
    SubscribeResult.prototype.offset = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    SubscribeResult.prototype.recovered = null;
    SubscribeResult.prototype.missing = null;
    SubscribeResult.prototype.topics = $util.emptyArray;
    SubscribeResult.prototype.intervalMs = 0;
    SubscribeResult.prototype.cursor = "";
    SubscribeResult.prototype.inbox = false;

    let $oneOfFields;

    // Virtual OneOf for proto3 optional field
    $Object.defineProperty(SubscribeResult.prototype, "_recovered", {
        get: $util.oneOfGetter($oneOfFields = ["recovered"]),
        set: $util.oneOfSetter($oneOfFields)
    });

    SubscribeResult.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.topic != null && $Object.hasOwnProperty.call(message, "topic") && message.topic !== "")
            writer.uint32(10).string(message.topic);
        if (message.error != null && $Object.hasOwnProperty.call(message, "error"))
            $root.Error.encode(message.error, writer.uint32(18).fork(), _depth + 1).ldelim();
        if (message.view != null && $Object.hasOwnProperty.call(message, "view") && message.view !== 0)
            writer.uint32(24).uint32(message.view);
        if (message.mode != null && $Object.hasOwnProperty.call(message, "mode") && message.mode !== 0)
            writer.uint32(32).int32(message.mode);
        if (message.epoch != null && $Object.hasOwnProperty.call(message, "epoch") && message.epoch !== "")
            writer.uint32(42).string(message.epoch);
        if (message.offset != null && $Object.hasOwnProperty.call(message, "offset") && (typeof message.offset === "object" ? message.offset.low || message.offset.high : message.offset !== 0))
            writer.uint32(48).uint64(message.offset);
        if (message.recovered != null && $Object.hasOwnProperty.call(message, "recovered"))
            writer.uint32(56).bool(message.recovered);
        if (message.missing != null && $Object.hasOwnProperty.call(message, "missing"))
            $root.Range.encode(message.missing, writer.uint32(66).fork(), _depth + 1).ldelim();
        if (message.topics != null && message.topics.length)
            for (let i = 0; i < message.topics.length; ++i)
                $root.TopicResult.encode(message.topics[i], writer.uint32(74).fork(), _depth + 1).ldelim();
        if (message.intervalMs != null && $Object.hasOwnProperty.call(message, "intervalMs") && message.intervalMs !== 0)
            writer.uint32(80).uint32(message.intervalMs);
        if (message.cursor != null && $Object.hasOwnProperty.call(message, "cursor") && message.cursor !== "")
            writer.uint32(90).string(message.cursor);
        if (message.inbox != null && $Object.hasOwnProperty.call(message, "inbox") && message.inbox !== false)
            writer.uint32(96).bool(message.inbox);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return SubscribeResult;
})();

export const Error = $root.Error = (() => {

    const Error = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Error.prototype.code = "";
    Error.prototype.number = 0;
    Error.prototype.message = "";
    Error.prototype.retry = false;
    Error.prototype.retryAfterMs = 0;

    Error.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.code != null && $Object.hasOwnProperty.call(message, "code") && message.code !== "")
            writer.uint32(10).string(message.code);
        if (message.number != null && $Object.hasOwnProperty.call(message, "number") && message.number !== 0)
            writer.uint32(16).uint32(message.number);
        if (message.message != null && $Object.hasOwnProperty.call(message, "message") && message.message !== "")
            writer.uint32(26).string(message.message);
        if (message.retry != null && $Object.hasOwnProperty.call(message, "retry") && message.retry !== false)
            writer.uint32(32).bool(message.retry);
        if (message.retryAfterMs != null && $Object.hasOwnProperty.call(message, "retryAfterMs") && message.retryAfterMs !== 0)
            writer.uint32(40).uint32(message.retryAfterMs);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Error;
})();

export const Mode = $root.Mode = (() => {
    const valuesById = $Object.create(null), values = $Object.create(valuesById);
    values[valuesById[0] = "MODE_STREAM"] = 0;
    values[valuesById[1] = "MODE_STATE"] = 1;
    return values;
})();

export const Range = $root.Range = (() => {

    const Range = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Range.prototype.after = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    Range.prototype.upto = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

    Range.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.after != null && $Object.hasOwnProperty.call(message, "after") && (typeof message.after === "object" ? message.after.low || message.after.high : message.after !== 0))
            writer.uint32(8).uint64(message.after);
        if (message.upto != null && $Object.hasOwnProperty.call(message, "upto") && (typeof message.upto === "object" ? message.upto.low || message.upto.high : message.upto !== 0))
            writer.uint32(16).uint64(message.upto);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Range;
})();

export const TopicResult = $root.TopicResult = (() => {

    const TopicResult = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    TopicResult.prototype.topic = "";
    TopicResult.prototype.epoch = "";
    TopicResult.prototype.offset = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    TopicResult.prototype.recovered = null;
    TopicResult.prototype.missing = null;
    TopicResult.prototype.mode = 0;

    let $oneOfFields;

    // Virtual OneOf for proto3 optional field
    $Object.defineProperty(TopicResult.prototype, "_recovered", {
        get: $util.oneOfGetter($oneOfFields = ["recovered"]),
        set: $util.oneOfSetter($oneOfFields)
    });

    TopicResult.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.topic != null && $Object.hasOwnProperty.call(message, "topic") && message.topic !== "")
            writer.uint32(10).string(message.topic);
        if (message.epoch != null && $Object.hasOwnProperty.call(message, "epoch") && message.epoch !== "")
            writer.uint32(18).string(message.epoch);
        if (message.offset != null && $Object.hasOwnProperty.call(message, "offset") && (typeof message.offset === "object" ? message.offset.low || message.offset.high : message.offset !== 0))
            writer.uint32(24).uint64(message.offset);
        if (message.recovered != null && $Object.hasOwnProperty.call(message, "recovered"))
            writer.uint32(32).bool(message.recovered);
        if (message.missing != null && $Object.hasOwnProperty.call(message, "missing"))
            $root.Range.encode(message.missing, writer.uint32(42).fork(), _depth + 1).ldelim();
        if (message.mode != null && $Object.hasOwnProperty.call(message, "mode") && message.mode !== 0)
            writer.uint32(48).int32(message.mode);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return TopicResult;
})();

export const Unsubscribed = $root.Unsubscribed = (() => {

    const Unsubscribed = function (properties) {
        this.views = [];
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Unsubscribed.prototype.views = $util.emptyArray;
    Unsubscribed.prototype.reason = "";

    Unsubscribed.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.views != null && message.views.length)
            writer.uint32(10).uint32s(message.views);
        if (message.reason != null && $Object.hasOwnProperty.call(message, "reason") && message.reason !== "")
            writer.uint32(18).string(message.reason);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Unsubscribed;
})();

export const Published = $root.Published = (() => {

    const Published = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Published.prototype.epoch = "";
    Published.prototype.offset = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    Published.prototype.duplicate = false;

    Published.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.epoch != null && $Object.hasOwnProperty.call(message, "epoch") && message.epoch !== "")
            writer.uint32(10).string(message.epoch);
        if (message.offset != null && $Object.hasOwnProperty.call(message, "offset") && (typeof message.offset === "object" ? message.offset.low || message.offset.high : message.offset !== 0))
            writer.uint32(16).uint64(message.offset);
        if (message.duplicate != null && $Object.hasOwnProperty.call(message, "duplicate") && message.duplicate !== false)
            writer.uint32(24).bool(message.duplicate);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Published;
})();

export const HistoryPage = $root.HistoryPage = (() => {

    const HistoryPage = function (properties) {
        this.publications = [];
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    HistoryPage.prototype.topic = "";
    HistoryPage.prototype.epoch = "";
    HistoryPage.prototype.after = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    HistoryPage.prototype.upto = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    HistoryPage.prototype.more = false;
    HistoryPage.prototype.publications = $util.emptyArray;
    HistoryPage.prototype.missing = null;

    HistoryPage.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.topic != null && $Object.hasOwnProperty.call(message, "topic") && message.topic !== "")
            writer.uint32(10).string(message.topic);
        if (message.epoch != null && $Object.hasOwnProperty.call(message, "epoch") && message.epoch !== "")
            writer.uint32(18).string(message.epoch);
        if (message.after != null && $Object.hasOwnProperty.call(message, "after") && (typeof message.after === "object" ? message.after.low || message.after.high : message.after !== 0))
            writer.uint32(24).uint64(message.after);
        if (message.upto != null && $Object.hasOwnProperty.call(message, "upto") && (typeof message.upto === "object" ? message.upto.low || message.upto.high : message.upto !== 0))
            writer.uint32(32).uint64(message.upto);
        if (message.more != null && $Object.hasOwnProperty.call(message, "more") && message.more !== false)
            writer.uint32(40).bool(message.more);
        if (message.publications != null && message.publications.length)
            for (let i = 0; i < message.publications.length; ++i)
                $root.Publication.encode(message.publications[i], writer.uint32(50).fork(), _depth + 1).ldelim();
        if (message.missing != null && $Object.hasOwnProperty.call(message, "missing"))
            $root.Range.encode(message.missing, writer.uint32(58).fork(), _depth + 1).ldelim();
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return HistoryPage;
})();

export const Publication = $root.Publication = (() => {

    const Publication = function (properties) {
        this.tags = {};
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Publication.prototype.offset = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    Publication.prototype.timestampMs = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    Publication.prototype.type = "";
    Publication.prototype.json = null;
    Publication.prototype.binary = null;
    Publication.prototype.key = "";
    Publication.prototype.tags = $util.emptyObject;
    Publication.prototype.removed = false;

    let $oneOfFields;

    $Object.defineProperty(Publication.prototype, "payload", {
        get: $util.oneOfGetter($oneOfFields = ["json", "binary"]),
        set: $util.oneOfSetter($oneOfFields)
    });

    Publication.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.offset != null && $Object.hasOwnProperty.call(message, "offset") && (typeof message.offset === "object" ? message.offset.low || message.offset.high : message.offset !== 0))
            writer.uint32(8).uint64(message.offset);
        if (message.timestampMs != null && $Object.hasOwnProperty.call(message, "timestampMs") && (typeof message.timestampMs === "object" ? message.timestampMs.low || message.timestampMs.high : message.timestampMs !== 0))
            writer.uint32(16).uint64(message.timestampMs);
        if (message.type != null && $Object.hasOwnProperty.call(message, "type") && message.type !== "")
            writer.uint32(26).string(message.type);
        if (message.json != null && $Object.hasOwnProperty.call(message, "json"))
            writer.uint32(34).bytes(message.json);
        if (message.binary != null && $Object.hasOwnProperty.call(message, "binary"))
            writer.uint32(42).bytes(message.binary);
        if (message.key != null && $Object.hasOwnProperty.call(message, "key") && message.key !== "")
            writer.uint32(50).string(message.key);
        if (message.tags != null && $Object.hasOwnProperty.call(message, "tags"))
            for (let keys = $Object.keys(message.tags), i = 0; i < keys.length; ++i)
                writer.uint32(58).fork().uint32(10).string(keys[i]).uint32(18).string(message.tags[keys[i]]).ldelim();
        if (message.removed != null && $Object.hasOwnProperty.call(message, "removed") && message.removed !== false)
            writer.uint32(64).bool(message.removed);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Publication;
})();

export const PresenceList = $root.PresenceList = (() => {

    const PresenceList = function (properties) {
        this.members = [];
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    PresenceList.prototype.topic = "";
    PresenceList.prototype.members = $util.emptyArray;
    PresenceList.prototype.count = 0;

    PresenceList.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.topic != null && $Object.hasOwnProperty.call(message, "topic") && message.topic !== "")
            writer.uint32(10).string(message.topic);
        if (message.members != null && message.members.length)
            for (let i = 0; i < message.members.length; ++i)
                $root.Member.encode(message.members[i], writer.uint32(18).fork(), _depth + 1).ldelim();
        if (message.count != null && $Object.hasOwnProperty.call(message, "count") && message.count !== 0)
            writer.uint32(24).uint32(message.count);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return PresenceList;
})();

export const Member = $root.Member = (() => {

    const Member = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Member.prototype.session = "";
    Member.prototype.user = "";
    Member.prototype.sinceMs = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

    Member.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.session != null && $Object.hasOwnProperty.call(message, "session") && message.session !== "")
            writer.uint32(10).string(message.session);
        if (message.user != null && $Object.hasOwnProperty.call(message, "user") && message.user !== "")
            writer.uint32(18).string(message.user);
        if (message.sinceMs != null && $Object.hasOwnProperty.call(message, "sinceMs") && (typeof message.sinceMs === "object" ? message.sinceMs.low || message.sinceMs.high : message.sinceMs !== 0))
            writer.uint32(24).uint64(message.sinceMs);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Member;
})();

export const SessionStatus = $root.SessionStatus = (() => {

    const SessionStatus = function (properties) {
        this.subscriptions = [];
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    SessionStatus.prototype.session = "";
    SessionStatus.prototype.user = "";
    SessionStatus.prototype.connectedAtMs = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    SessionStatus.prototype.messageCount = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    SessionStatus.prototype.subscriptions = $util.emptyArray;
    SessionStatus.prototype.timeMs = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

    SessionStatus.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.session != null && $Object.hasOwnProperty.call(message, "session") && message.session !== "")
            writer.uint32(10).string(message.session);
        if (message.user != null && $Object.hasOwnProperty.call(message, "user") && message.user !== "")
            writer.uint32(18).string(message.user);
        if (message.connectedAtMs != null && $Object.hasOwnProperty.call(message, "connectedAtMs") && (typeof message.connectedAtMs === "object" ? message.connectedAtMs.low || message.connectedAtMs.high : message.connectedAtMs !== 0))
            writer.uint32(24).uint64(message.connectedAtMs);
        if (message.messageCount != null && $Object.hasOwnProperty.call(message, "messageCount") && (typeof message.messageCount === "object" ? message.messageCount.low || message.messageCount.high : message.messageCount !== 0))
            writer.uint32(32).uint64(message.messageCount);
        if (message.subscriptions != null && message.subscriptions.length)
            for (let i = 0; i < message.subscriptions.length; ++i)
                $root.SubscriptionStatus.encode(message.subscriptions[i], writer.uint32(42).fork(), _depth + 1).ldelim();
        if (message.timeMs != null && $Object.hasOwnProperty.call(message, "timeMs") && (typeof message.timeMs === "object" ? message.timeMs.low || message.timeMs.high : message.timeMs !== 0))
            writer.uint32(48).uint64(message.timeMs);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return SessionStatus;
})();

export const SubscriptionStatus = $root.SubscriptionStatus = (() => {

    const SubscriptionStatus = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    SubscriptionStatus.prototype.topic = "";
    SubscriptionStatus.prototype.view = 0;

    SubscriptionStatus.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.topic != null && $Object.hasOwnProperty.call(message, "topic") && message.topic !== "")
            writer.uint32(10).string(message.topic);
        if (message.view != null && $Object.hasOwnProperty.call(message, "view") && message.view !== 0)
            writer.uint32(16).uint32(message.view);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return SubscriptionStatus;
})();

export const Refreshed = $root.Refreshed = (() => {

    const Refreshed = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Refreshed.prototype.expiresMs = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

    Refreshed.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.expiresMs != null && $Object.hasOwnProperty.call(message, "expiresMs") && (typeof message.expiresMs === "object" ? message.expiresMs.low || message.expiresMs.high : message.expiresMs !== 0))
            writer.uint32(8).uint64(message.expiresMs);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Refreshed;
})();

export const Pong = $root.Pong = (() => {

    const Pong = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Pong.prototype.timeMs = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

    Pong.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.timeMs != null && $Object.hasOwnProperty.call(message, "timeMs") && (typeof message.timeMs === "object" ? message.timeMs.low || message.timeMs.high : message.timeMs !== 0))
            writer.uint32(8).uint64(message.timeMs);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Pong;
})();

export const Result = $root.Result = (() => {

    const Result = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Result.prototype.json = null;
    Result.prototype.binary = null;

    let $oneOfFields;

    $Object.defineProperty(Result.prototype, "payload", {
        get: $util.oneOfGetter($oneOfFields = ["json", "binary"]),
        set: $util.oneOfSetter($oneOfFields)
    });

    Result.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.json != null && $Object.hasOwnProperty.call(message, "json"))
            writer.uint32(10).bytes(message.json);
        if (message.binary != null && $Object.hasOwnProperty.call(message, "binary"))
            writer.uint32(18).bytes(message.binary);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Result;
})();

export const Batch = $root.Batch = (() => {

    const Batch = function (properties) {
        this.publications = [];
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Batch.prototype.view = 0;
    Batch.prototype.topic = "";
    Batch.prototype.epoch = "";
    Batch.prototype.after = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    Batch.prototype.upto = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    Batch.prototype.publications = $util.emptyArray;
    Batch.prototype.deflate = $util.newBuffer([]);
    Batch.prototype.plainBytes = 0;
    Batch.prototype.crc32 = 0;
    Batch.prototype.dictionary = 0;
    Batch.prototype.cursor = "";

    Batch.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.view != null && $Object.hasOwnProperty.call(message, "view") && message.view !== 0)
            writer.uint32(8).uint32(message.view);
        if (message.topic != null && $Object.hasOwnProperty.call(message, "topic") && message.topic !== "")
            writer.uint32(18).string(message.topic);
        if (message.epoch != null && $Object.hasOwnProperty.call(message, "epoch") && message.epoch !== "")
            writer.uint32(26).string(message.epoch);
        if (message.after != null && $Object.hasOwnProperty.call(message, "after") && (typeof message.after === "object" ? message.after.low || message.after.high : message.after !== 0))
            writer.uint32(32).uint64(message.after);
        if (message.upto != null && $Object.hasOwnProperty.call(message, "upto") && (typeof message.upto === "object" ? message.upto.low || message.upto.high : message.upto !== 0))
            writer.uint32(40).uint64(message.upto);
        if (message.publications != null && message.publications.length)
            for (let i = 0; i < message.publications.length; ++i)
                $root.Publication.encode(message.publications[i], writer.uint32(50).fork(), _depth + 1).ldelim();
        if (message.deflate != null && $Object.hasOwnProperty.call(message, "deflate") && message.deflate.length)
            writer.uint32(58).bytes(message.deflate);
        if (message.plainBytes != null && $Object.hasOwnProperty.call(message, "plainBytes") && message.plainBytes !== 0)
            writer.uint32(64).uint32(message.plainBytes);
        if (message.crc32 != null && $Object.hasOwnProperty.call(message, "crc32") && message.crc32 !== 0)
            writer.uint32(77).fixed32(message.crc32);
        if (message.dictionary != null && $Object.hasOwnProperty.call(message, "dictionary") && message.dictionary !== 0)
            writer.uint32(80).uint32(message.dictionary);
        if (message.cursor != null && $Object.hasOwnProperty.call(message, "cursor") && message.cursor !== "")
            writer.uint32(90).string(message.cursor);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Batch;
})();

export const Reset = $root.Reset = (() => {

    const Reset = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Reset.prototype.view = 0;
    Reset.prototype.topic = "";
    Reset.prototype.epoch = "";
    Reset.prototype.offset = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    Reset.prototype.mode = 0;

    Reset.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.view != null && $Object.hasOwnProperty.call(message, "view") && message.view !== 0)
            writer.uint32(8).uint32(message.view);
        if (message.topic != null && $Object.hasOwnProperty.call(message, "topic") && message.topic !== "")
            writer.uint32(18).string(message.topic);
        if (message.epoch != null && $Object.hasOwnProperty.call(message, "epoch") && message.epoch !== "")
            writer.uint32(26).string(message.epoch);
        if (message.offset != null && $Object.hasOwnProperty.call(message, "offset") && (typeof message.offset === "object" ? message.offset.low || message.offset.high : message.offset !== 0))
            writer.uint32(32).uint64(message.offset);
        if (message.mode != null && $Object.hasOwnProperty.call(message, "mode") && message.mode !== 0)
            writer.uint32(40).int32(message.mode);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Reset;
})();

export const Snapshot = $root.Snapshot = (() => {

    const Snapshot = function (properties) {
        this.publications = [];
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Snapshot.prototype.view = 0;
    Snapshot.prototype.topic = "";
    Snapshot.prototype.epoch = "";
    Snapshot.prototype.offset = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    Snapshot.prototype.first = false;
    Snapshot.prototype.publications = $util.emptyArray;
    Snapshot.prototype.last = false;
    Snapshot.prototype.partial = false;

    Snapshot.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.view != null && $Object.hasOwnProperty.call(message, "view") && message.view !== 0)
            writer.uint32(8).uint32(message.view);
        if (message.topic != null && $Object.hasOwnProperty.call(message, "topic") && message.topic !== "")
            writer.uint32(18).string(message.topic);
        if (message.epoch != null && $Object.hasOwnProperty.call(message, "epoch") && message.epoch !== "")
            writer.uint32(26).string(message.epoch);
        if (message.offset != null && $Object.hasOwnProperty.call(message, "offset") && (typeof message.offset === "object" ? message.offset.low || message.offset.high : message.offset !== 0))
            writer.uint32(32).uint64(message.offset);
        if (message.first != null && $Object.hasOwnProperty.call(message, "first") && message.first !== false)
            writer.uint32(40).bool(message.first);
        if (message.publications != null && message.publications.length)
            for (let i = 0; i < message.publications.length; ++i)
                $root.Publication.encode(message.publications[i], writer.uint32(50).fork(), _depth + 1).ldelim();
        if (message.last != null && $Object.hasOwnProperty.call(message, "last") && message.last !== false)
            writer.uint32(56).bool(message.last);
        if (message.partial != null && $Object.hasOwnProperty.call(message, "partial") && message.partial !== false)
            writer.uint32(64).bool(message.partial);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Snapshot;
})();

export const Joined = $root.Joined = (() => {

    const Joined = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Joined.prototype.topic = "";
    Joined.prototype.member = null;

    Joined.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.topic != null && $Object.hasOwnProperty.call(message, "topic") && message.topic !== "")
            writer.uint32(10).string(message.topic);
        if (message.member != null && $Object.hasOwnProperty.call(message, "member"))
            $root.Member.encode(message.member, writer.uint32(18).fork(), _depth + 1).ldelim();
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Joined;
})();

export const Left = $root.Left = (() => {

    const Left = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Left.prototype.topic = "";
    Left.prototype.member = null;

    Left.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.topic != null && $Object.hasOwnProperty.call(message, "topic") && message.topic !== "")
            writer.uint32(10).string(message.topic);
        if (message.member != null && $Object.hasOwnProperty.call(message, "member"))
            $root.Member.encode(message.member, writer.uint32(18).fork(), _depth + 1).ldelim();
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Left;
})();

export const Lagging = $root.Lagging = (() => {

    const Lagging = function (properties) {
        this.views = [];
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Lagging.prototype.views = $util.emptyArray;

    Lagging.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.views != null && message.views.length)
            writer.uint32(10).uint32s(message.views);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Lagging;
})();

export const CaughtUp = $root.CaughtUp = (() => {

    const CaughtUp = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    CaughtUp.prototype.view = 0;
    CaughtUp.prototype.topic = "";
    CaughtUp.prototype.epoch = "";
    CaughtUp.prototype.offset = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
    CaughtUp.prototype.recovered = false;
    CaughtUp.prototype.missing = null;
    CaughtUp.prototype.cursor = "";

    CaughtUp.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.view != null && $Object.hasOwnProperty.call(message, "view") && message.view !== 0)
            writer.uint32(8).uint32(message.view);
        if (message.topic != null && $Object.hasOwnProperty.call(message, "topic") && message.topic !== "")
            writer.uint32(18).string(message.topic);
        if (message.epoch != null && $Object.hasOwnProperty.call(message, "epoch") && message.epoch !== "")
            writer.uint32(26).string(message.epoch);
        if (message.offset != null && $Object.hasOwnProperty.call(message, "offset") && (typeof message.offset === "object" ? message.offset.low || message.offset.high : message.offset !== 0))
            writer.uint32(32).uint64(message.offset);
        if (message.recovered != null && $Object.hasOwnProperty.call(message, "recovered") && message.recovered !== false)
            writer.uint32(40).bool(message.recovered);
        if (message.missing != null && $Object.hasOwnProperty.call(message, "missing"))
            $root.Range.encode(message.missing, writer.uint32(50).fork(), _depth + 1).ldelim();
        if (message.cursor != null && $Object.hasOwnProperty.call(message, "cursor") && message.cursor !== "")
            writer.uint32(58).string(message.cursor);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return CaughtUp;
})();

export const Message = $root.Message = (() => {

    const Message = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Message.prototype.type = "";
    Message.prototype.json = null;
    Message.prototype.binary = null;

    let $oneOfFields;

    $Object.defineProperty(Message.prototype, "payload", {
        get: $util.oneOfGetter($oneOfFields = ["json", "binary"]),
        set: $util.oneOfSetter($oneOfFields)
    });

    Message.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.type != null && $Object.hasOwnProperty.call(message, "type") && message.type !== "")
            writer.uint32(10).string(message.type);
        if (message.json != null && $Object.hasOwnProperty.call(message, "json"))
            writer.uint32(18).bytes(message.json);
        if (message.binary != null && $Object.hasOwnProperty.call(message, "binary"))
            writer.uint32(26).bytes(message.binary);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Message;
})();

export const GoingAway = $root.GoingAway = (() => {

    const GoingAway = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    GoingAway.prototype.reconnectDelayMs = 0;
    GoingAway.prototype.reason = "";

    GoingAway.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.reconnectDelayMs != null && $Object.hasOwnProperty.call(message, "reconnectDelayMs") && message.reconnectDelayMs !== 0)
            writer.uint32(8).uint32(message.reconnectDelayMs);
        if (message.reason != null && $Object.hasOwnProperty.call(message, "reason") && message.reason !== "")
            writer.uint32(18).string(message.reason);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return GoingAway;
})();

export const Dictionary = $root.Dictionary = (() => {

    const Dictionary = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    Dictionary.prototype.dictionary = 0;
    Dictionary.prototype.view = 0;
    Dictionary.prototype.data = $util.newBuffer([]);
    Dictionary.prototype.crc32 = 0;

    Dictionary.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.dictionary != null && $Object.hasOwnProperty.call(message, "dictionary") && message.dictionary !== 0)
            writer.uint32(8).uint32(message.dictionary);
        if (message.view != null && $Object.hasOwnProperty.call(message, "view") && message.view !== 0)
            writer.uint32(16).uint32(message.view);
        if (message.data != null && $Object.hasOwnProperty.call(message, "data") && message.data.length)
            writer.uint32(26).bytes(message.data);
        if (message.crc32 != null && $Object.hasOwnProperty.call(message, "crc32") && message.crc32 !== 0)
            writer.uint32(37).fixed32(message.crc32);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return Dictionary;
})();

export const TokenExpiring = $root.TokenExpiring = (() => {

    const TokenExpiring = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    TokenExpiring.prototype.expiresMs = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

    TokenExpiring.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.expiresMs != null && $Object.hasOwnProperty.call(message, "expiresMs") && (typeof message.expiresMs === "object" ? message.expiresMs.low || message.expiresMs.high : message.expiresMs !== 0))
            writer.uint32(8).uint64(message.expiresMs);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return TokenExpiring;
})();

export const GatewayState = $root.GatewayState = (() => {

    const GatewayState = function (properties) {
        if (properties)
            for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                if (properties[keys[i]] != null && keys[i] !== "__proto__")
                    this[keys[i]] = properties[keys[i]];
    };

    GatewayState.prototype.degraded = false;

    GatewayState.encode = function (message, writer, _depth) {
        if (!writer)
            writer = $Writer.create();
        if (_depth === $undefined)
            _depth = 0;
        if (_depth > $util.recursionLimit)
            throw $Error("max depth exceeded");
        if (message.degraded != null && $Object.hasOwnProperty.call(message, "degraded") && message.degraded !== false)
            writer.uint32(8).bool(message.degraded);
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
            for (let i = 0; i < message.$unknowns.length; ++i)
                writer.raw(message.$unknowns[i]);
        return writer;
    };

    return GatewayState;
})();

export {
  $root as default
};
