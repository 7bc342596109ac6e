import * as $protobuf from "protobufjs";
import Long = require("long");

export interface IServerFrame extends ServerFrame.$Properties {
}

export class ServerFrame {
    constructor(properties?: ServerFrame.$Properties);
    $unknowns?: Uint8Array[];
    id: number;
    connected?: (Connected.$Properties|null);
    subscribed?: (Subscribed.$Properties|null);
    unsubscribed?: (Unsubscribed.$Properties|null);
    published?: (Published.$Properties|null);
    history?: (HistoryPage.$Properties|null);
    presence?: (PresenceList.$Properties|null);
    status?: (SessionStatus.$Properties|null);
    refreshed?: (Refreshed.$Properties|null);
    pong?: (Pong.$Properties|null);
    result?: (Result.$Properties|null);
    error?: (Error.$Properties|null);
    batch?: (Batch.$Properties|null);
    reset?: (Reset.$Properties|null);
    snapshot?: (Snapshot.$Properties|null);
    joined?: (Joined.$Properties|null);
    left?: (Left.$Properties|null);
    lagging?: (Lagging.$Properties|null);
    caughtUp?: (CaughtUp.$Properties|null);
    message?: (Message.$Properties|null);
    goingAway?: (GoingAway.$Properties|null);
    dictionary?: (Dictionary.$Properties|null);
    tokenExpiring?: (TokenExpiring.$Properties|null);
    gatewayState?: (GatewayState.$Properties|null);
    kind?: ("connected"|"subscribed"|"unsubscribed"|"published"|"history"|"presence"|"status"|"refreshed"|"pong"|"result"|"error"|"batch"|"reset"|"snapshot"|"joined"|"left"|"lagging"|"caughtUp"|"message"|"goingAway"|"dictionary"|"tokenExpiring"|"gatewayState");
    static encode(message: ServerFrame.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace ServerFrame {
    interface $Properties {
        id?: (number|null);
        connected?: (Connected.$Properties|null);
        subscribed?: (Subscribed.$Properties|null);
        unsubscribed?: (Unsubscribed.$Properties|null);
        published?: (Published.$Properties|null);
        history?: (HistoryPage.$Properties|null);
        presence?: (PresenceList.$Properties|null);
        status?: (SessionStatus.$Properties|null);
        refreshed?: (Refreshed.$Properties|null);
        pong?: (Pong.$Properties|null);
        result?: (Result.$Properties|null);
        error?: (Error.$Properties|null);
        batch?: (Batch.$Properties|null);
        reset?: (Reset.$Properties|null);
        snapshot?: (Snapshot.$Properties|null);
        joined?: (Joined.$Properties|null);
        left?: (Left.$Properties|null);
        lagging?: (Lagging.$Properties|null);
        caughtUp?: (CaughtUp.$Properties|null);
        message?: (Message.$Properties|null);
        goingAway?: (GoingAway.$Properties|null);
        dictionary?: (Dictionary.$Properties|null);
        tokenExpiring?: (TokenExpiring.$Properties|null);
        gatewayState?: (GatewayState.$Properties|null);
        kind?: ("connected"|"subscribed"|"unsubscribed"|"published"|"history"|"presence"|"status"|"refreshed"|"pong"|"result"|"error"|"batch"|"reset"|"snapshot"|"joined"|"left"|"lagging"|"caughtUp"|"message"|"goingAway"|"dictionary"|"tokenExpiring"|"gatewayState");
        $unknowns?: Uint8Array[];
    }
    type $Shape = {
      id?: number|null;
      connected?: Connected.$Shape|null;
      subscribed?: Subscribed.$Shape|null;
      unsubscribed?: Unsubscribed.$Shape|null;
      published?: Published.$Shape|null;
      history?: HistoryPage.$Shape|null;
      presence?: PresenceList.$Shape|null;
      status?: SessionStatus.$Shape|null;
      refreshed?: Refreshed.$Shape|null;
      pong?: Pong.$Shape|null;
      result?: Result.$Shape|null;
      error?: Error.$Shape|null;
      batch?: Batch.$Shape|null;
      reset?: Reset.$Shape|null;
      snapshot?: Snapshot.$Shape|null;
      joined?: Joined.$Shape|null;
      left?: Left.$Shape|null;
      lagging?: Lagging.$Shape|null;
      caughtUp?: CaughtUp.$Shape|null;
      message?: Message.$Shape|null;
      goingAway?: GoingAway.$Shape|null;
      dictionary?: Dictionary.$Shape|null;
      tokenExpiring?: TokenExpiring.$Shape|null;
      gatewayState?: GatewayState.$Shape|null;
      $unknowns?: Uint8Array[];
    } & (
      ({ kind?: undefined; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "connected"; connected: Connected.$Shape; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "subscribed"; connected?: null; subscribed: Subscribed.$Shape; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "unsubscribed"; connected?: null; subscribed?: null; unsubscribed: Unsubscribed.$Shape; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "published"; connected?: null; subscribed?: null; unsubscribed?: null; published: Published.$Shape; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "history"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history: HistoryPage.$Shape; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "presence"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence: PresenceList.$Shape; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "status"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status: SessionStatus.$Shape; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "refreshed"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed: Refreshed.$Shape; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "pong"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong: Pong.$Shape; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "result"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result: Result.$Shape; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "error"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error: Error.$Shape; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "batch"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch: Batch.$Shape; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "reset"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset: Reset.$Shape; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "snapshot"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot: Snapshot.$Shape; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "joined"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined: Joined.$Shape; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "left"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left: Left.$Shape; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "lagging"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging: Lagging.$Shape; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "caughtUp"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp: CaughtUp.$Shape; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "message"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message: Message.$Shape; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "goingAway"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway: GoingAway.$Shape; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "dictionary"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary: Dictionary.$Shape; tokenExpiring?: null; gatewayState?: null }|{ kind?: "tokenExpiring"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring: TokenExpiring.$Shape; gatewayState?: null }|{ kind?: "gatewayState"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState: GatewayState.$Shape })
    );
}

export interface IConnected extends Connected.$Properties {
}

export class Connected {
    constructor(properties?: Connected.$Properties);
    $unknowns?: Uint8Array[];
    session: string;
    timeMs: number;
    version: string;
    user: string;
    limits?: (Limits.$Properties|null);
    capabilities: string[];
    expiresMs: number;
    degraded: boolean;
    static encode(message: Connected.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Connected {
    interface $Properties {
        session?: (string|null);
        timeMs?: (number|null);
        version?: (string|null);
        user?: (string|null);
        limits?: (Limits.$Properties|null);
        capabilities?: (string[]|null);
        expiresMs?: (number|null);
        degraded?: (boolean|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Connected.$Properties;
}

export interface ILimits extends Limits.$Properties {
}

export class Limits {
    constructor(properties?: Limits.$Properties);
    $unknowns?: Uint8Array[];
    frameMaxBytes: number;
    payloadMaxBytes: number;
    subscriptions: number;
    commandsPerSecond: number;
    idleTimeoutMs: number;
    static encode(message: Limits.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Limits {
    interface $Properties {
        frameMaxBytes?: (number|null);
        payloadMaxBytes?: (number|null);
        subscriptions?: (number|null);
        commandsPerSecond?: (number|null);
        idleTimeoutMs?: (number|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Limits.$Properties;
}

export interface ISubscribed extends Subscribed.$Properties {
}

export class Subscribed {
    constructor(properties?: Subscribed.$Properties);
    $unknowns?: Uint8Array[];
    results: SubscribeResult.$Properties[];
    static encode(message: Subscribed.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Subscribed {
    interface $Properties {
        results?: (SubscribeResult.$Properties[]|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Subscribed.$Properties;
}

export interface ISubscribeResult extends SubscribeResult.$Properties {
}

export class SubscribeResult {
    constructor(properties?: SubscribeResult.$Properties);
    $unknowns?: Uint8Array[];
    topic: string;
    error?: (Error.$Properties|null);
    view: number;
    mode: Mode;
    epoch: string;
    offset: number;
    recovered?: (boolean|null);
    missing?: (Range.$Properties|null);
    topics: TopicResult.$Properties[];
    intervalMs: number;
    cursor: string;
    inbox: boolean;
    static encode(message: SubscribeResult.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace SubscribeResult {
    interface $Properties {
        topic?: (string|null);
        error?: (Error.$Properties|null);
        view?: (number|null);
        mode?: (Mode|null);
        epoch?: (string|null);
        offset?: (number|null);
        recovered?: (boolean|null);
        missing?: (Range.$Properties|null);
        topics?: (TopicResult.$Properties[]|null);
        intervalMs?: (number|null);
        cursor?: (string|null);
        inbox?: (boolean|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = SubscribeResult.$Properties;
}

export interface IError extends Error.$Properties {
}

export class Error {
    constructor(properties?: Error.$Properties);
    $unknowns?: Uint8Array[];
    code: string;
    number: number;
    message: string;
    retry: boolean;
    retryAfterMs: number;
    static encode(message: Error.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Error {
    interface $Properties {
        code?: (string|null);
        number?: (number|null);
        message?: (string|null);
        retry?: (boolean|null);
        retryAfterMs?: (number|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Error.$Properties;
}

export enum Mode {
    MODE_STREAM = 0,
    MODE_STATE = 1
}

export interface IRange extends Range.$Properties {
}

export class Range {
    constructor(properties?: Range.$Properties);
    $unknowns?: Uint8Array[];
    after: number;
    upto: number;
    static encode(message: Range.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Range {
    interface $Properties {
        after?: (number|null);
        upto?: (number|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Range.$Properties;
}

export interface ITopicResult extends TopicResult.$Properties {
}

export class TopicResult {
    constructor(properties?: TopicResult.$Properties);
    $unknowns?: Uint8Array[];
    topic: string;
    epoch: string;
    offset: number;
    recovered?: (boolean|null);
    missing?: (Range.$Properties|null);
    mode: Mode;
    static encode(message: TopicResult.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace TopicResult {
    interface $Properties {
        topic?: (string|null);
        epoch?: (string|null);
        offset?: (number|null);
        recovered?: (boolean|null);
        missing?: (Range.$Properties|null);
        mode?: (Mode|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = TopicResult.$Properties;
}

export interface IUnsubscribed extends Unsubscribed.$Properties {
}

export class Unsubscribed {
    constructor(properties?: Unsubscribed.$Properties);
    $unknowns?: Uint8Array[];
    views: number[];
    reason: string;
    static encode(message: Unsubscribed.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Unsubscribed {
    interface $Properties {
        views?: (number[]|null);
        reason?: (string|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Unsubscribed.$Properties;
}

export interface IPublished extends Published.$Properties {
}

export class Published {
    constructor(properties?: Published.$Properties);
    $unknowns?: Uint8Array[];
    epoch: string;
    offset: number;
    duplicate: boolean;
    static encode(message: Published.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Published {
    interface $Properties {
        epoch?: (string|null);
        offset?: (number|null);
        duplicate?: (boolean|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Published.$Properties;
}

export interface IHistoryPage extends HistoryPage.$Properties {
}

export class HistoryPage {
    constructor(properties?: HistoryPage.$Properties);
    $unknowns?: Uint8Array[];
    topic: string;
    epoch: string;
    after: number;
    upto: number;
    more: boolean;
    publications: Publication.$Properties[];
    missing?: (Range.$Properties|null);
    static encode(message: HistoryPage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace HistoryPage {
    interface $Properties {
        topic?: (string|null);
        epoch?: (string|null);
        after?: (number|null);
        upto?: (number|null);
        more?: (boolean|null);
        publications?: (Publication.$Properties[]|null);
        missing?: (Range.$Properties|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = {
      topic?: string|null;
      epoch?: string|null;
      after?: number|null;
      upto?: number|null;
      more?: boolean|null;
      publications?: Publication.$Shape[]|null;
      missing?: Range.$Shape|null;
      $unknowns?: Uint8Array[];
    };
}

export interface IPublication extends Publication.$Properties {
}

export class Publication {
    constructor(properties?: Publication.$Properties);
    $unknowns?: Uint8Array[];
    offset: number;
    timestampMs: number;
    type: string;
    json?: (Uint8Array|null);
    binary?: (Uint8Array|null);
    key: string;
    tags: { [k: string]: string };
    removed: boolean;
    payload?: ("json"|"binary");
    static encode(message: Publication.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Publication {
    interface $Properties {
        offset?: (number|null);
        timestampMs?: (number|null);
        type?: (string|null);
        json?: (Uint8Array|null);
        binary?: (Uint8Array|null);
        key?: (string|null);
        tags?: ({ [k: string]: string }|null);
        removed?: (boolean|null);
        payload?: ("json"|"binary");
        $unknowns?: Uint8Array[];
    }
    type $Shape = {
      offset?: number|null;
      timestampMs?: number|null;
      type?: string|null;
      json?: Uint8Array|null;
      binary?: Uint8Array|null;
      key?: string|null;
      tags?: { [k: string]: string }|null;
      removed?: boolean|null;
      $unknowns?: Uint8Array[];
    } & (
      ({ payload?: undefined; json?: null; binary?: null }|{ payload?: "json"; json: Uint8Array; binary?: null }|{ payload?: "binary"; json?: null; binary: Uint8Array })
    );
}

export interface IPresenceList extends PresenceList.$Properties {
}

export class PresenceList {
    constructor(properties?: PresenceList.$Properties);
    $unknowns?: Uint8Array[];
    topic: string;
    members: Member.$Properties[];
    count: number;
    static encode(message: PresenceList.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace PresenceList {
    interface $Properties {
        topic?: (string|null);
        members?: (Member.$Properties[]|null);
        count?: (number|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = PresenceList.$Properties;
}

export interface IMember extends Member.$Properties {
}

export class Member {
    constructor(properties?: Member.$Properties);
    $unknowns?: Uint8Array[];
    session: string;
    user: string;
    sinceMs: number;
    static encode(message: Member.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Member {
    interface $Properties {
        session?: (string|null);
        user?: (string|null);
        sinceMs?: (number|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Member.$Properties;
}

export interface ISessionStatus extends SessionStatus.$Properties {
}

export class SessionStatus {
    constructor(properties?: SessionStatus.$Properties);
    $unknowns?: Uint8Array[];
    session: string;
    user: string;
    connectedAtMs: number;
    messageCount: number;
    subscriptions: SubscriptionStatus.$Properties[];
    timeMs: number;
    static encode(message: SessionStatus.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace SessionStatus {
    interface $Properties {
        session?: (string|null);
        user?: (string|null);
        connectedAtMs?: (number|null);
        messageCount?: (number|null);
        subscriptions?: (SubscriptionStatus.$Properties[]|null);
        timeMs?: (number|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = SessionStatus.$Properties;
}

export interface ISubscriptionStatus extends SubscriptionStatus.$Properties {
}

export class SubscriptionStatus {
    constructor(properties?: SubscriptionStatus.$Properties);
    $unknowns?: Uint8Array[];
    topic: string;
    view: number;
    static encode(message: SubscriptionStatus.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace SubscriptionStatus {
    interface $Properties {
        topic?: (string|null);
        view?: (number|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = SubscriptionStatus.$Properties;
}

export interface IRefreshed extends Refreshed.$Properties {
}

export class Refreshed {
    constructor(properties?: Refreshed.$Properties);
    $unknowns?: Uint8Array[];
    expiresMs: number;
    static encode(message: Refreshed.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Refreshed {
    interface $Properties {
        expiresMs?: (number|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Refreshed.$Properties;
}

export interface IPong extends Pong.$Properties {
}

export class Pong {
    constructor(properties?: Pong.$Properties);
    $unknowns?: Uint8Array[];
    timeMs: number;
    static encode(message: Pong.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Pong {
    interface $Properties {
        timeMs?: (number|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Pong.$Properties;
}

export interface IResult extends Result.$Properties {
}

export class Result {
    constructor(properties?: Result.$Properties);
    $unknowns?: Uint8Array[];
    json?: (Uint8Array|null);
    binary?: (Uint8Array|null);
    payload?: ("json"|"binary");
    static encode(message: Result.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Result {
    interface $Properties {
        json?: (Uint8Array|null);
        binary?: (Uint8Array|null);
        payload?: ("json"|"binary");
        $unknowns?: Uint8Array[];
    }
    type $Shape = {
      json?: Uint8Array|null;
      binary?: Uint8Array|null;
      $unknowns?: Uint8Array[];
    } & (
      ({ payload?: undefined; json?: null; binary?: null }|{ payload?: "json"; json: Uint8Array; binary?: null }|{ payload?: "binary"; json?: null; binary: Uint8Array })
    );
}

export interface IBatch extends Batch.$Properties {
}

export class Batch {
    constructor(properties?: Batch.$Properties);
    $unknowns?: Uint8Array[];
    view: number;
    topic: string;
    epoch: string;
    after: number;
    upto: number;
    publications: Publication.$Properties[];
    deflate: Uint8Array;
    plainBytes: number;
    crc32: number;
    dictionary: number;
    cursor: string;
    static encode(message: Batch.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Batch {
    interface $Properties {
        view?: (number|null);
        topic?: (string|null);
        epoch?: (string|null);
        after?: (number|null);
        upto?: (number|null);
        publications?: (Publication.$Properties[]|null);
        deflate?: (Uint8Array|null);
        plainBytes?: (number|null);
        crc32?: (number|null);
        dictionary?: (number|null);
        cursor?: (string|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = {
      view?: number|null;
      topic?: string|null;
      epoch?: string|null;
      after?: number|null;
      upto?: number|null;
      publications?: Publication.$Shape[]|null;
      deflate?: Uint8Array|null;
      plainBytes?: number|null;
      crc32?: number|null;
      dictionary?: number|null;
      cursor?: string|null;
      $unknowns?: Uint8Array[];
    };
}

export interface IReset extends Reset.$Properties {
}

export class Reset {
    constructor(properties?: Reset.$Properties);
    $unknowns?: Uint8Array[];
    view: number;
    topic: string;
    epoch: string;
    offset: number;
    mode: Mode;
    static encode(message: Reset.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Reset {
    interface $Properties {
        view?: (number|null);
        topic?: (string|null);
        epoch?: (string|null);
        offset?: (number|null);
        mode?: (Mode|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Reset.$Properties;
}

export interface ISnapshot extends Snapshot.$Properties {
}

export class Snapshot {
    constructor(properties?: Snapshot.$Properties);
    $unknowns?: Uint8Array[];
    view: number;
    topic: string;
    epoch: string;
    offset: number;
    first: boolean;
    publications: Publication.$Properties[];
    last: boolean;
    partial: boolean;
    static encode(message: Snapshot.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Snapshot {
    interface $Properties {
        view?: (number|null);
        topic?: (string|null);
        epoch?: (string|null);
        offset?: (number|null);
        first?: (boolean|null);
        publications?: (Publication.$Properties[]|null);
        last?: (boolean|null);
        partial?: (boolean|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = {
      view?: number|null;
      topic?: string|null;
      epoch?: string|null;
      offset?: number|null;
      first?: boolean|null;
      publications?: Publication.$Shape[]|null;
      last?: boolean|null;
      partial?: boolean|null;
      $unknowns?: Uint8Array[];
    };
}

export interface IJoined extends Joined.$Properties {
}

export class Joined {
    constructor(properties?: Joined.$Properties);
    $unknowns?: Uint8Array[];
    topic: string;
    member?: (Member.$Properties|null);
    static encode(message: Joined.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Joined {
    interface $Properties {
        topic?: (string|null);
        member?: (Member.$Properties|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Joined.$Properties;
}

export interface ILeft extends Left.$Properties {
}

export class Left {
    constructor(properties?: Left.$Properties);
    $unknowns?: Uint8Array[];
    topic: string;
    member?: (Member.$Properties|null);
    static encode(message: Left.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Left {
    interface $Properties {
        topic?: (string|null);
        member?: (Member.$Properties|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Left.$Properties;
}

export interface ILagging extends Lagging.$Properties {
}

export class Lagging {
    constructor(properties?: Lagging.$Properties);
    $unknowns?: Uint8Array[];
    views: number[];
    static encode(message: Lagging.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Lagging {
    interface $Properties {
        views?: (number[]|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Lagging.$Properties;
}

export interface ICaughtUp extends CaughtUp.$Properties {
}

export class CaughtUp {
    constructor(properties?: CaughtUp.$Properties);
    $unknowns?: Uint8Array[];
    view: number;
    topic: string;
    epoch: string;
    offset: number;
    recovered: boolean;
    missing?: (Range.$Properties|null);
    cursor: string;
    static encode(message: CaughtUp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace CaughtUp {
    interface $Properties {
        view?: (number|null);
        topic?: (string|null);
        epoch?: (string|null);
        offset?: (number|null);
        recovered?: (boolean|null);
        missing?: (Range.$Properties|null);
        cursor?: (string|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = CaughtUp.$Properties;
}

export interface IMessage extends Message.$Properties {
}

export class Message {
    constructor(properties?: Message.$Properties);
    $unknowns?: Uint8Array[];
    type: string;
    json?: (Uint8Array|null);
    binary?: (Uint8Array|null);
    payload?: ("json"|"binary");
    static encode(message: Message.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Message {
    interface $Properties {
        type?: (string|null);
        json?: (Uint8Array|null);
        binary?: (Uint8Array|null);
        payload?: ("json"|"binary");
        $unknowns?: Uint8Array[];
    }
    type $Shape = {
      type?: string|null;
      json?: Uint8Array|null;
      binary?: Uint8Array|null;
      $unknowns?: Uint8Array[];
    } & (
      ({ payload?: undefined; json?: null; binary?: null }|{ payload?: "json"; json: Uint8Array; binary?: null }|{ payload?: "binary"; json?: null; binary: Uint8Array })
    );
}

export interface IGoingAway extends GoingAway.$Properties {
}

export class GoingAway {
    constructor(properties?: GoingAway.$Properties);
    $unknowns?: Uint8Array[];
    reconnectDelayMs: number;
    reason: string;
    static encode(message: GoingAway.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace GoingAway {
    interface $Properties {
        reconnectDelayMs?: (number|null);
        reason?: (string|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = GoingAway.$Properties;
}

export interface IDictionary extends Dictionary.$Properties {
}

export class Dictionary {
    constructor(properties?: Dictionary.$Properties);
    $unknowns?: Uint8Array[];
    dictionary: number;
    view: number;
    data: Uint8Array;
    crc32: number;
    static encode(message: Dictionary.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace Dictionary {
    interface $Properties {
        dictionary?: (number|null);
        view?: (number|null);
        data?: (Uint8Array|null);
        crc32?: (number|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Dictionary.$Properties;
}

export interface ITokenExpiring extends TokenExpiring.$Properties {
}

export class TokenExpiring {
    constructor(properties?: TokenExpiring.$Properties);
    $unknowns?: Uint8Array[];
    expiresMs: number;
    static encode(message: TokenExpiring.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace TokenExpiring {
    interface $Properties {
        expiresMs?: (number|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = TokenExpiring.$Properties;
}

export interface IGatewayState extends GatewayState.$Properties {
}

export class GatewayState {
    constructor(properties?: GatewayState.$Properties);
    $unknowns?: Uint8Array[];
    degraded: boolean;
    static encode(message: GatewayState.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
}

export namespace GatewayState {
    interface $Properties {
        degraded?: (boolean|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = GatewayState.$Properties;
}
