import * as $protobuf from "protobufjs";
import Long = require("long");

export interface IClientFrame extends ClientFrame.$Properties {
}

export class ClientFrame {
    constructor(properties?: ClientFrame.$Properties);
    $unknowns?: Uint8Array[];
    id: number;
    connect?: (Connect.$Properties|null);
    subscribe?: (Subscribe.$Properties|null);
    unsubscribe?: (Unsubscribe.$Properties|null);
    publish?: (Publish.$Properties|null);
    history?: (History.$Properties|null);
    presence?: (Presence.$Properties|null);
    status?: (Status.$Properties|null);
    refresh?: (Refresh.$Properties|null);
    ping?: (Ping.$Properties|null);
    call?: (Call.$Properties|null);
    setKeys?: (SetKeys.$Properties|null);
    command?: ("connect"|"subscribe"|"unsubscribe"|"publish"|"history"|"presence"|"status"|"refresh"|"ping"|"call"|"setKeys");
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): ClientFrame & ClientFrame.$Shape;
}

export namespace ClientFrame {
    interface $Properties {
        id?: (number|null);
        connect?: (Connect.$Properties|null);
        subscribe?: (Subscribe.$Properties|null);
        unsubscribe?: (Unsubscribe.$Properties|null);
        publish?: (Publish.$Properties|null);
        history?: (History.$Properties|null);
        presence?: (Presence.$Properties|null);
        status?: (Status.$Properties|null);
        refresh?: (Refresh.$Properties|null);
        ping?: (Ping.$Properties|null);
        call?: (Call.$Properties|null);
        setKeys?: (SetKeys.$Properties|null);
        command?: ("connect"|"subscribe"|"unsubscribe"|"publish"|"history"|"presence"|"status"|"refresh"|"ping"|"call"|"setKeys");
        $unknowns?: Uint8Array[];
    }
    type $Shape = {
      id?: number|null;
      connect?: Connect.$Shape|null;
      subscribe?: Subscribe.$Shape|null;
      unsubscribe?: Unsubscribe.$Shape|null;
      publish?: Publish.$Shape|null;
      history?: History.$Shape|null;
      presence?: Presence.$Shape|null;
      status?: Status.$Shape|null;
      refresh?: Refresh.$Shape|null;
      ping?: Ping.$Shape|null;
      call?: Call.$Shape|null;
      setKeys?: SetKeys.$Shape|null;
      $unknowns?: Uint8Array[];
    } & (
      ({ command?: undefined; connect?: null; subscribe?: null; unsubscribe?: null; publish?: null; history?: null; presence?: null; status?: null; refresh?: null; ping?: null; call?: null; setKeys?: null }|{ command?: "connect"; connect: Connect.$Shape; subscribe?: null; unsubscribe?: null; publish?: null; history?: null; presence?: null; status?: null; refresh?: null; ping?: null; call?: null; setKeys?: null }|{ command?: "subscribe"; connect?: null; subscribe: Subscribe.$Shape; unsubscribe?: null; publish?: null; history?: null; presence?: null; status?: null; refresh?: null; ping?: null; call?: null; setKeys?: null }|{ command?: "unsubscribe"; connect?: null; subscribe?: null; unsubscribe: Unsubscribe.$Shape; publish?: null; history?: null; presence?: null; status?: null; refresh?: null; ping?: null; call?: null; setKeys?: null }|{ command?: "publish"; connect?: null; subscribe?: null; unsubscribe?: null; publish: Publish.$Shape; history?: null; presence?: null; status?: null; refresh?: null; ping?: null; call?: null; setKeys?: null }|{ command?: "history"; connect?: null; subscribe?: null; unsubscribe?: null; publish?: null; history: History.$Shape; presence?: null; status?: null; refresh?: null; ping?: null; call?: null; setKeys?: null }|{ command?: "presence"; connect?: null; subscribe?: null; unsubscribe?: null; publish?: null; history?: null; presence: Presence.$Shape; status?: null; refresh?: null; ping?: null; call?: null; setKeys?: null }|{ command?: "status"; connect?: null; subscribe?: null; unsubscribe?: null; publish?: null; history?: null; presence?: null; status: Status.$Shape; refresh?: null; ping?: null; call?: null; setKeys?: null }|{ command?: "refresh"; connect?: null; subscribe?: null; unsubscribe?: null; publish?: null; history?: null; presence?: null; status?: null; refresh: Refresh.$Shape; ping?: null; call?: null; setKeys?: null }|{ command?: "ping"; connect?: null; subscribe?: null; unsubscribe?: null; publish?: null; history?: null; presence?: null; status?: null; refresh?: null; ping: Ping.$Shape; call?: null; setKeys?: null }|{ command?: "call"; connect?: null; subscribe?: null; unsubscribe?: null; publish?: null; history?: null; presence?: null; status?: null; refresh?: null; ping?: null; call: Call.$Shape; setKeys?: null }|{ command?: "setKeys"; connect?: null; subscribe?: null; unsubscribe?: null; publish?: null; history?: null; presence?: null; status?: null; refresh?: null; ping?: null; call?: null; setKeys: SetKeys.$Shape })
    );
}

export interface IConnect extends Connect.$Properties {
}

export class Connect {
    constructor(properties?: Connect.$Properties);
    $unknowns?: Uint8Array[];
    token: string;
    client: string;
    capabilities: string[];
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): Connect & Connect.$Shape;
}

export namespace Connect {
    interface $Properties {
        token?: (string|null);
        client?: (string|null);
        capabilities?: (string[]|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Connect.$Properties;
}

export interface ISubscribe extends Subscribe.$Properties {
}

export class Subscribe {
    constructor(properties?: Subscribe.$Properties);
    $unknowns?: Uint8Array[];
    subscriptions: Subscription.$Properties[];
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): Subscribe & Subscribe.$Shape;
}

export namespace Subscribe {
    interface $Properties {
        subscriptions?: (Subscription.$Properties[]|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Subscribe.$Properties;
}

export interface ISubscription extends Subscription.$Properties {
}

export class Subscription {
    constructor(properties?: Subscription.$Properties);
    $unknowns?: Uint8Array[];
    topic: string;
    since?: (Position.$Properties|null);
    positions: TopicPosition.$Properties[];
    last: number;
    filter?: (Filter.$Properties|null);
    intervalMs: number;
    conflate: boolean;
    cursor: string;
    token: string;
    presence: boolean;
    keys: string[];
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): Subscription & Subscription.$Shape;
}

export namespace Subscription {
    interface $Properties {
        topic?: (string|null);
        since?: (Position.$Properties|null);
        positions?: (TopicPosition.$Properties[]|null);
        last?: (number|null);
        filter?: (Filter.$Properties|null);
        intervalMs?: (number|null);
        conflate?: (boolean|null);
        cursor?: (string|null);
        token?: (string|null);
        presence?: (boolean|null);
        keys?: (string[]|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Subscription.$Properties;
}

export interface IPosition extends Position.$Properties {
}

export class Position {
    constructor(properties?: Position.$Properties);
    $unknowns?: Uint8Array[];
    epoch: string;
    offset: number;
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): Position & Position.$Shape;
}

export namespace Position {
    interface $Properties {
        epoch?: (string|null);
        offset?: (number|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Position.$Properties;
}

export interface ITopicPosition extends TopicPosition.$Properties {
}

export class TopicPosition {
    constructor(properties?: TopicPosition.$Properties);
    $unknowns?: Uint8Array[];
    topic: string;
    epoch: string;
    offset: number;
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): TopicPosition & TopicPosition.$Shape;
}

export namespace TopicPosition {
    interface $Properties {
        topic?: (string|null);
        epoch?: (string|null);
        offset?: (number|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = TopicPosition.$Properties;
}

export interface IFilter extends Filter.$Properties {
}

export class Filter {
    constructor(properties?: Filter.$Properties);
    $unknowns?: Uint8Array[];
    op: Filter.Operator;
    tag: string;
    values: string[];
    number: number;
    filters: Filter.$Properties[];
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): Filter & Filter.$Shape;
}

export namespace Filter {
    interface $Properties {
        op?: (Filter.Operator|null);
        tag?: (string|null);
        values?: (string[]|null);
        number?: (number|null);
        filters?: (Filter.$Properties[]|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Filter.$Properties;

    enum Operator {
        OPERATOR_UNSPECIFIED = 0,
        OPERATOR_EQ = 1,
        OPERATOR_IN = 2,
        OPERATOR_PREFIX = 3,
        OPERATOR_LT = 4,
        OPERATOR_LTE = 5,
        OPERATOR_GT = 6,
        OPERATOR_GTE = 7,
        OPERATOR_EXISTS = 8,
        OPERATOR_AND = 9,
        OPERATOR_OR = 10,
        OPERATOR_NOT = 11
    }
}

export interface IUnsubscribe extends Unsubscribe.$Properties {
}

export class Unsubscribe {
    constructor(properties?: Unsubscribe.$Properties);
    $unknowns?: Uint8Array[];
    views: number[];
    topics: string[];
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): Unsubscribe & Unsubscribe.$Shape;
}

export namespace Unsubscribe {
    interface $Properties {
        views?: (number[]|null);
        topics?: (string[]|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Unsubscribe.$Properties;
}

export interface IPublish extends Publish.$Properties {
}

export class Publish {
    constructor(properties?: Publish.$Properties);
    $unknowns?: Uint8Array[];
    topic: string;
    type: string;
    json?: (Uint8Array|null);
    binary?: (Uint8Array|null);
    key: string;
    tags: { [k: string]: string };
    messageId: string;
    ttlMs: number;
    except: string;
    timestampMs: number;
    removed: boolean;
    expectedOffset?: (number|null);
    pipelined: boolean;
    payload?: ("json"|"binary");
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): Publish & Publish.$Shape;
}

export namespace Publish {
    interface $Properties {
        topic?: (string|null);
        type?: (string|null);
        json?: (Uint8Array|null);
        binary?: (Uint8Array|null);
        key?: (string|null);
        tags?: ({ [k: string]: string }|null);
        messageId?: (string|null);
        ttlMs?: (number|null);
        except?: (string|null);
        timestampMs?: (number|null);
        removed?: (boolean|null);
        expectedOffset?: (number|null);
        pipelined?: (boolean|null);
        payload?: ("json"|"binary");
        $unknowns?: Uint8Array[];
    }
    type $Shape = {
      topic?: string|null;
      type?: string|null;
      json?: Uint8Array|null;
      binary?: Uint8Array|null;
      key?: string|null;
      tags?: { [k: string]: string }|null;
      messageId?: string|null;
      ttlMs?: number|null;
      except?: string|null;
      timestampMs?: number|null;
      removed?: boolean|null;
      expectedOffset?: number|null;
      pipelined?: boolean|null;
      $unknowns?: Uint8Array[];
    } & (
      ({ payload?: undefined; json?: null; binary?: null }|{ payload?: "json"; json: Uint8Array; binary?: null }|{ payload?: "binary"; json?: null; binary: Uint8Array })
    );
}

export interface IHistory extends History.$Properties {
}

export class History {
    constructor(properties?: History.$Properties);
    $unknowns?: Uint8Array[];
    topic: string;
    after?: (number|null);
    limit: number;
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): History & History.$Shape;
}

export namespace History {
    interface $Properties {
        topic?: (string|null);
        after?: (number|null);
        limit?: (number|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = History.$Properties;
}

export interface IPresence extends Presence.$Properties {
}

export class Presence {
    constructor(properties?: Presence.$Properties);
    $unknowns?: Uint8Array[];
    topic: string;
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): Presence & Presence.$Shape;
}

export namespace Presence {
    interface $Properties {
        topic?: (string|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Presence.$Properties;
}

export interface IStatus extends Status.$Properties {
}

export class Status {
    constructor(properties?: Status.$Properties);
    $unknowns?: Uint8Array[];
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): Status & Status.$Shape;
}

export namespace Status {
    interface $Properties {
        $unknowns?: Uint8Array[];
    }
    type $Shape = Status.$Properties;
}

export interface IRefresh extends Refresh.$Properties {
}

export class Refresh {
    constructor(properties?: Refresh.$Properties);
    $unknowns?: Uint8Array[];
    token: string;
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): Refresh & Refresh.$Shape;
}

export namespace Refresh {
    interface $Properties {
        token?: (string|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Refresh.$Properties;
}

export interface IPing extends Ping.$Properties {
}

export class Ping {
    constructor(properties?: Ping.$Properties);
    $unknowns?: Uint8Array[];
    roundTripMs: number;
    acks: Ack.$Properties[];
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): Ping & Ping.$Shape;
}

export namespace Ping {
    interface $Properties {
        roundTripMs?: (number|null);
        acks?: (Ack.$Properties[]|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Ping.$Properties;
}

export interface IAck extends Ack.$Properties {
}

export class Ack {
    constructor(properties?: Ack.$Properties);
    $unknowns?: Uint8Array[];
    view: number;
    offset: number;
    epoch: string;
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): Ack & Ack.$Shape;
}

export namespace Ack {
    interface $Properties {
        view?: (number|null);
        offset?: (number|null);
        epoch?: (string|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = Ack.$Properties;
}

export interface ICall extends Call.$Properties {
}

export class Call {
    constructor(properties?: Call.$Properties);
    $unknowns?: Uint8Array[];
    method: string;
    json?: (Uint8Array|null);
    binary?: (Uint8Array|null);
    payload?: ("json"|"binary");
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): Call & Call.$Shape;
}

export namespace Call {
    interface $Properties {
        method?: (string|null);
        json?: (Uint8Array|null);
        binary?: (Uint8Array|null);
        payload?: ("json"|"binary");
        $unknowns?: Uint8Array[];
    }
    type $Shape = {
      method?: string|null;
      json?: Uint8Array|null;
      binary?: Uint8Array|null;
      $unknowns?: Uint8Array[];
    } & (
      ({ payload?: undefined; json?: null; binary?: null }|{ payload?: "json"; json: Uint8Array; binary?: null }|{ payload?: "binary"; json?: null; binary: Uint8Array })
    );
}

export interface ISetKeys extends SetKeys.$Properties {
}

export class SetKeys {
    constructor(properties?: SetKeys.$Properties);
    $unknowns?: Uint8Array[];
    view: number;
    keys: string[];
    static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): SetKeys & SetKeys.$Shape;
}

export namespace SetKeys {
    interface $Properties {
        view?: (number|null);
        keys?: (string[]|null);
        $unknowns?: Uint8Array[];
    }
    type $Shape = SetKeys.$Properties;
}
