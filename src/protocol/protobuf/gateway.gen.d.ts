import * as $protobuf from "protobufjs";
import Long = require("long");

export namespace sluice {

    namespace v1 {

        interface IClientFrame extends sluice.v1.ClientFrame.$Properties {
        }

        class ClientFrame {
            constructor(properties?: sluice.v1.ClientFrame.$Properties);
            $unknowns?: Uint8Array[];
            id: number;
            connect?: (sluice.v1.Connect.$Properties|null);
            subscribe?: (sluice.v1.Subscribe.$Properties|null);
            unsubscribe?: (sluice.v1.Unsubscribe.$Properties|null);
            publish?: (sluice.v1.Publish.$Properties|null);
            history?: (sluice.v1.History.$Properties|null);
            presence?: (sluice.v1.Presence.$Properties|null);
            status?: (sluice.v1.Status.$Properties|null);
            refresh?: (sluice.v1.Refresh.$Properties|null);
            ping?: (sluice.v1.Ping.$Properties|null);
            call?: (sluice.v1.Call.$Properties|null);
            setKeys?: (sluice.v1.SetKeys.$Properties|null);
            command?: ("connect"|"subscribe"|"unsubscribe"|"publish"|"history"|"presence"|"status"|"refresh"|"ping"|"call"|"setKeys");
            static encode(message: sluice.v1.ClientFrame.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.ClientFrame & sluice.v1.ClientFrame.$Shape;
        }

        namespace ClientFrame {
            interface $Properties {
                id?: (number|null);
                connect?: (sluice.v1.Connect.$Properties|null);
                subscribe?: (sluice.v1.Subscribe.$Properties|null);
                unsubscribe?: (sluice.v1.Unsubscribe.$Properties|null);
                publish?: (sluice.v1.Publish.$Properties|null);
                history?: (sluice.v1.History.$Properties|null);
                presence?: (sluice.v1.Presence.$Properties|null);
                status?: (sluice.v1.Status.$Properties|null);
                refresh?: (sluice.v1.Refresh.$Properties|null);
                ping?: (sluice.v1.Ping.$Properties|null);
                call?: (sluice.v1.Call.$Properties|null);
                setKeys?: (sluice.v1.SetKeys.$Properties|null);
                command?: ("connect"|"subscribe"|"unsubscribe"|"publish"|"history"|"presence"|"status"|"refresh"|"ping"|"call"|"setKeys");
                $unknowns?: Uint8Array[];
            }
            type $Shape = {
              id?: number|null;
              connect?: sluice.v1.Connect.$Shape|null;
              subscribe?: sluice.v1.Subscribe.$Shape|null;
              unsubscribe?: sluice.v1.Unsubscribe.$Shape|null;
              publish?: sluice.v1.Publish.$Shape|null;
              history?: sluice.v1.History.$Shape|null;
              presence?: sluice.v1.Presence.$Shape|null;
              status?: sluice.v1.Status.$Shape|null;
              refresh?: sluice.v1.Refresh.$Shape|null;
              ping?: sluice.v1.Ping.$Shape|null;
              call?: sluice.v1.Call.$Shape|null;
              setKeys?: sluice.v1.SetKeys.$Shape|null;
              $unknowns?: Uint8Array[];
            } & (
              ({ command?: undefined; connect?: null; subscribe?: null; unsubscribe?: null; publish?: null; history?: null; presence?: null; status?: null; refresh?: null; ping?: null; call?: null; setKeys?: null }|{ command?: "connect"; connect: sluice.v1.Connect.$Shape; subscribe?: null; unsubscribe?: null; publish?: null; history?: null; presence?: null; status?: null; refresh?: null; ping?: null; call?: null; setKeys?: null }|{ command?: "subscribe"; connect?: null; subscribe: sluice.v1.Subscribe.$Shape; unsubscribe?: null; publish?: null; history?: null; presence?: null; status?: null; refresh?: null; ping?: null; call?: null; setKeys?: null }|{ command?: "unsubscribe"; connect?: null; subscribe?: null; unsubscribe: sluice.v1.Unsubscribe.$Shape; publish?: null; history?: null; presence?: null; status?: null; refresh?: null; ping?: null; call?: null; setKeys?: null }|{ command?: "publish"; connect?: null; subscribe?: null; unsubscribe?: null; publish: sluice.v1.Publish.$Shape; history?: null; presence?: null; status?: null; refresh?: null; ping?: null; call?: null; setKeys?: null }|{ command?: "history"; connect?: null; subscribe?: null; unsubscribe?: null; publish?: null; history: sluice.v1.History.$Shape; presence?: null; status?: null; refresh?: null; ping?: null; call?: null; setKeys?: null }|{ command?: "presence"; connect?: null; subscribe?: null; unsubscribe?: null; publish?: null; history?: null; presence: sluice.v1.Presence.$Shape; status?: null; refresh?: null; ping?: null; call?: null; setKeys?: null }|{ command?: "status"; connect?: null; subscribe?: null; unsubscribe?: null; publish?: null; history?: null; presence?: null; status: sluice.v1.Status.$Shape; refresh?: null; ping?: null; call?: null; setKeys?: null }|{ command?: "refresh"; connect?: null; subscribe?: null; unsubscribe?: null; publish?: null; history?: null; presence?: null; status?: null; refresh: sluice.v1.Refresh.$Shape; ping?: null; call?: null; setKeys?: null }|{ command?: "ping"; connect?: null; subscribe?: null; unsubscribe?: null; publish?: null; history?: null; presence?: null; status?: null; refresh?: null; ping: sluice.v1.Ping.$Shape; call?: null; setKeys?: null }|{ command?: "call"; connect?: null; subscribe?: null; unsubscribe?: null; publish?: null; history?: null; presence?: null; status?: null; refresh?: null; ping?: null; call: sluice.v1.Call.$Shape; setKeys?: null }|{ command?: "setKeys"; connect?: null; subscribe?: null; unsubscribe?: null; publish?: null; history?: null; presence?: null; status?: null; refresh?: null; ping?: null; call?: null; setKeys: sluice.v1.SetKeys.$Shape })
            );
        }

        interface IConnect extends sluice.v1.Connect.$Properties {
        }

        class Connect {
            constructor(properties?: sluice.v1.Connect.$Properties);
            $unknowns?: Uint8Array[];
            token: string;
            client: string;
            capabilities: string[];
            static encode(message: sluice.v1.Connect.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Connect & sluice.v1.Connect.$Shape;
        }

        namespace Connect {
            interface $Properties {
                token?: (string|null);
                client?: (string|null);
                capabilities?: (string[]|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Connect.$Properties;
        }

        interface ISubscribe extends sluice.v1.Subscribe.$Properties {
        }

        class Subscribe {
            constructor(properties?: sluice.v1.Subscribe.$Properties);
            $unknowns?: Uint8Array[];
            subscriptions: sluice.v1.Subscription.$Properties[];
            static encode(message: sluice.v1.Subscribe.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Subscribe & sluice.v1.Subscribe.$Shape;
        }

        namespace Subscribe {
            interface $Properties {
                subscriptions?: (sluice.v1.Subscription.$Properties[]|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Subscribe.$Properties;
        }

        interface ISubscription extends sluice.v1.Subscription.$Properties {
        }

        class Subscription {
            constructor(properties?: sluice.v1.Subscription.$Properties);
            $unknowns?: Uint8Array[];
            topic: string;
            since?: (sluice.v1.Position.$Properties|null);
            positions: sluice.v1.TopicPosition.$Properties[];
            last: number;
            filter?: (sluice.v1.Filter.$Properties|null);
            intervalMs: number;
            conflate: boolean;
            cursor: string;
            token: string;
            presence: boolean;
            keys: string[];
            static encode(message: sluice.v1.Subscription.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Subscription & sluice.v1.Subscription.$Shape;
        }

        namespace Subscription {
            interface $Properties {
                topic?: (string|null);
                since?: (sluice.v1.Position.$Properties|null);
                positions?: (sluice.v1.TopicPosition.$Properties[]|null);
                last?: (number|null);
                filter?: (sluice.v1.Filter.$Properties|null);
                intervalMs?: (number|null);
                conflate?: (boolean|null);
                cursor?: (string|null);
                token?: (string|null);
                presence?: (boolean|null);
                keys?: (string[]|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Subscription.$Properties;
        }

        interface IFilter extends sluice.v1.Filter.$Properties {
        }

        class Filter {
            constructor(properties?: sluice.v1.Filter.$Properties);
            $unknowns?: Uint8Array[];
            op: sluice.v1.Filter.Operator;
            tag: string;
            values: string[];
            number: number;
            filters: sluice.v1.Filter.$Properties[];
            static encode(message: sluice.v1.Filter.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Filter & sluice.v1.Filter.$Shape;
        }

        namespace Filter {
            interface $Properties {
                op?: (sluice.v1.Filter.Operator|null);
                tag?: (string|null);
                values?: (string[]|null);
                number?: (number|null);
                filters?: (sluice.v1.Filter.$Properties[]|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Filter.$Properties;

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

        interface IUnsubscribe extends sluice.v1.Unsubscribe.$Properties {
        }

        class Unsubscribe {
            constructor(properties?: sluice.v1.Unsubscribe.$Properties);
            $unknowns?: Uint8Array[];
            views: number[];
            topics: string[];
            static encode(message: sluice.v1.Unsubscribe.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Unsubscribe & sluice.v1.Unsubscribe.$Shape;
        }

        namespace Unsubscribe {
            interface $Properties {
                views?: (number[]|null);
                topics?: (string[]|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Unsubscribe.$Properties;
        }

        interface ISetKeys extends sluice.v1.SetKeys.$Properties {
        }

        class SetKeys {
            constructor(properties?: sluice.v1.SetKeys.$Properties);
            $unknowns?: Uint8Array[];
            view: number;
            keys: string[];
            static encode(message: sluice.v1.SetKeys.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.SetKeys & sluice.v1.SetKeys.$Shape;
        }

        namespace SetKeys {
            interface $Properties {
                view?: (number|null);
                keys?: (string[]|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.SetKeys.$Properties;
        }

        interface IPublish extends sluice.v1.Publish.$Properties {
        }

        class Publish {
            constructor(properties?: sluice.v1.Publish.$Properties);
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
            static encode(message: sluice.v1.Publish.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Publish & sluice.v1.Publish.$Shape;
        }

        namespace Publish {
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

        interface IHistory extends sluice.v1.History.$Properties {
        }

        class History {
            constructor(properties?: sluice.v1.History.$Properties);
            $unknowns?: Uint8Array[];
            topic: string;
            after?: (number|null);
            limit: number;
            static encode(message: sluice.v1.History.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.History & sluice.v1.History.$Shape;
        }

        namespace History {
            interface $Properties {
                topic?: (string|null);
                after?: (number|null);
                limit?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.History.$Properties;
        }

        interface IPresence extends sluice.v1.Presence.$Properties {
        }

        class Presence {
            constructor(properties?: sluice.v1.Presence.$Properties);
            $unknowns?: Uint8Array[];
            topic: string;
            static encode(message: sluice.v1.Presence.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Presence & sluice.v1.Presence.$Shape;
        }

        namespace Presence {
            interface $Properties {
                topic?: (string|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Presence.$Properties;
        }

        interface IStatus extends sluice.v1.Status.$Properties {
        }

        class Status {
            constructor(properties?: sluice.v1.Status.$Properties);
            $unknowns?: Uint8Array[];
            static encode(message: sluice.v1.Status.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Status & sluice.v1.Status.$Shape;
        }

        namespace Status {
            interface $Properties {
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Status.$Properties;
        }

        interface IRefresh extends sluice.v1.Refresh.$Properties {
        }

        class Refresh {
            constructor(properties?: sluice.v1.Refresh.$Properties);
            $unknowns?: Uint8Array[];
            token: string;
            static encode(message: sluice.v1.Refresh.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Refresh & sluice.v1.Refresh.$Shape;
        }

        namespace Refresh {
            interface $Properties {
                token?: (string|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Refresh.$Properties;
        }

        interface IPing extends sluice.v1.Ping.$Properties {
        }

        class Ping {
            constructor(properties?: sluice.v1.Ping.$Properties);
            $unknowns?: Uint8Array[];
            roundTripMs: number;
            acks: sluice.v1.Ack.$Properties[];
            static encode(message: sluice.v1.Ping.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Ping & sluice.v1.Ping.$Shape;
        }

        namespace Ping {
            interface $Properties {
                roundTripMs?: (number|null);
                acks?: (sluice.v1.Ack.$Properties[]|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Ping.$Properties;
        }

        interface IAck extends sluice.v1.Ack.$Properties {
        }

        class Ack {
            constructor(properties?: sluice.v1.Ack.$Properties);
            $unknowns?: Uint8Array[];
            view: number;
            offset: number;
            epoch: string;
            static encode(message: sluice.v1.Ack.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Ack & sluice.v1.Ack.$Shape;
        }

        namespace Ack {
            interface $Properties {
                view?: (number|null);
                offset?: (number|null);
                epoch?: (string|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Ack.$Properties;
        }

        interface ICall extends sluice.v1.Call.$Properties {
        }

        class Call {
            constructor(properties?: sluice.v1.Call.$Properties);
            $unknowns?: Uint8Array[];
            method: string;
            json?: (Uint8Array|null);
            binary?: (Uint8Array|null);
            payload?: ("json"|"binary");
            static encode(message: sluice.v1.Call.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Call & sluice.v1.Call.$Shape;
        }

        namespace Call {
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

        interface IServerFrame extends sluice.v1.ServerFrame.$Properties {
        }

        class ServerFrame {
            constructor(properties?: sluice.v1.ServerFrame.$Properties);
            $unknowns?: Uint8Array[];
            id: number;
            connected?: (sluice.v1.Connected.$Properties|null);
            subscribed?: (sluice.v1.Subscribed.$Properties|null);
            unsubscribed?: (sluice.v1.Unsubscribed.$Properties|null);
            published?: (sluice.v1.Published.$Properties|null);
            history?: (sluice.v1.HistoryPage.$Properties|null);
            presence?: (sluice.v1.PresenceList.$Properties|null);
            status?: (sluice.v1.SessionStatus.$Properties|null);
            refreshed?: (sluice.v1.Refreshed.$Properties|null);
            pong?: (sluice.v1.Pong.$Properties|null);
            result?: (sluice.v1.Result.$Properties|null);
            error?: (sluice.v1.Error.$Properties|null);
            batch?: (sluice.v1.Batch.$Properties|null);
            reset?: (sluice.v1.Reset.$Properties|null);
            snapshot?: (sluice.v1.Snapshot.$Properties|null);
            joined?: (sluice.v1.Joined.$Properties|null);
            left?: (sluice.v1.Left.$Properties|null);
            lagging?: (sluice.v1.Lagging.$Properties|null);
            caughtUp?: (sluice.v1.CaughtUp.$Properties|null);
            message?: (sluice.v1.Message.$Properties|null);
            goingAway?: (sluice.v1.GoingAway.$Properties|null);
            dictionary?: (sluice.v1.Dictionary.$Properties|null);
            tokenExpiring?: (sluice.v1.TokenExpiring.$Properties|null);
            gatewayState?: (sluice.v1.GatewayState.$Properties|null);
            kind?: ("connected"|"subscribed"|"unsubscribed"|"published"|"history"|"presence"|"status"|"refreshed"|"pong"|"result"|"error"|"batch"|"reset"|"snapshot"|"joined"|"left"|"lagging"|"caughtUp"|"message"|"goingAway"|"dictionary"|"tokenExpiring"|"gatewayState");
            static encode(message: sluice.v1.ServerFrame.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.ServerFrame & sluice.v1.ServerFrame.$Shape;
        }

        namespace ServerFrame {
            interface $Properties {
                id?: (number|null);
                connected?: (sluice.v1.Connected.$Properties|null);
                subscribed?: (sluice.v1.Subscribed.$Properties|null);
                unsubscribed?: (sluice.v1.Unsubscribed.$Properties|null);
                published?: (sluice.v1.Published.$Properties|null);
                history?: (sluice.v1.HistoryPage.$Properties|null);
                presence?: (sluice.v1.PresenceList.$Properties|null);
                status?: (sluice.v1.SessionStatus.$Properties|null);
                refreshed?: (sluice.v1.Refreshed.$Properties|null);
                pong?: (sluice.v1.Pong.$Properties|null);
                result?: (sluice.v1.Result.$Properties|null);
                error?: (sluice.v1.Error.$Properties|null);
                batch?: (sluice.v1.Batch.$Properties|null);
                reset?: (sluice.v1.Reset.$Properties|null);
                snapshot?: (sluice.v1.Snapshot.$Properties|null);
                joined?: (sluice.v1.Joined.$Properties|null);
                left?: (sluice.v1.Left.$Properties|null);
                lagging?: (sluice.v1.Lagging.$Properties|null);
                caughtUp?: (sluice.v1.CaughtUp.$Properties|null);
                message?: (sluice.v1.Message.$Properties|null);
                goingAway?: (sluice.v1.GoingAway.$Properties|null);
                dictionary?: (sluice.v1.Dictionary.$Properties|null);
                tokenExpiring?: (sluice.v1.TokenExpiring.$Properties|null);
                gatewayState?: (sluice.v1.GatewayState.$Properties|null);
                kind?: ("connected"|"subscribed"|"unsubscribed"|"published"|"history"|"presence"|"status"|"refreshed"|"pong"|"result"|"error"|"batch"|"reset"|"snapshot"|"joined"|"left"|"lagging"|"caughtUp"|"message"|"goingAway"|"dictionary"|"tokenExpiring"|"gatewayState");
                $unknowns?: Uint8Array[];
            }
            type $Shape = {
              id?: number|null;
              connected?: sluice.v1.Connected.$Shape|null;
              subscribed?: sluice.v1.Subscribed.$Shape|null;
              unsubscribed?: sluice.v1.Unsubscribed.$Shape|null;
              published?: sluice.v1.Published.$Shape|null;
              history?: sluice.v1.HistoryPage.$Shape|null;
              presence?: sluice.v1.PresenceList.$Shape|null;
              status?: sluice.v1.SessionStatus.$Shape|null;
              refreshed?: sluice.v1.Refreshed.$Shape|null;
              pong?: sluice.v1.Pong.$Shape|null;
              result?: sluice.v1.Result.$Shape|null;
              error?: sluice.v1.Error.$Shape|null;
              batch?: sluice.v1.Batch.$Shape|null;
              reset?: sluice.v1.Reset.$Shape|null;
              snapshot?: sluice.v1.Snapshot.$Shape|null;
              joined?: sluice.v1.Joined.$Shape|null;
              left?: sluice.v1.Left.$Shape|null;
              lagging?: sluice.v1.Lagging.$Shape|null;
              caughtUp?: sluice.v1.CaughtUp.$Shape|null;
              message?: sluice.v1.Message.$Shape|null;
              goingAway?: sluice.v1.GoingAway.$Shape|null;
              dictionary?: sluice.v1.Dictionary.$Shape|null;
              tokenExpiring?: sluice.v1.TokenExpiring.$Shape|null;
              gatewayState?: sluice.v1.GatewayState.$Shape|null;
              $unknowns?: Uint8Array[];
            } & (
              ({ kind?: undefined; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "connected"; connected: sluice.v1.Connected.$Shape; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "subscribed"; connected?: null; subscribed: sluice.v1.Subscribed.$Shape; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "unsubscribed"; connected?: null; subscribed?: null; unsubscribed: sluice.v1.Unsubscribed.$Shape; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "published"; connected?: null; subscribed?: null; unsubscribed?: null; published: sluice.v1.Published.$Shape; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "history"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history: sluice.v1.HistoryPage.$Shape; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "presence"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence: sluice.v1.PresenceList.$Shape; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "status"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status: sluice.v1.SessionStatus.$Shape; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "refreshed"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed: sluice.v1.Refreshed.$Shape; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "pong"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong: sluice.v1.Pong.$Shape; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "result"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result: sluice.v1.Result.$Shape; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "error"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error: sluice.v1.Error.$Shape; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "batch"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch: sluice.v1.Batch.$Shape; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "reset"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset: sluice.v1.Reset.$Shape; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "snapshot"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot: sluice.v1.Snapshot.$Shape; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "joined"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined: sluice.v1.Joined.$Shape; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "left"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left: sluice.v1.Left.$Shape; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "lagging"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging: sluice.v1.Lagging.$Shape; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "caughtUp"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp: sluice.v1.CaughtUp.$Shape; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "message"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message: sluice.v1.Message.$Shape; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "goingAway"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway: sluice.v1.GoingAway.$Shape; dictionary?: null; tokenExpiring?: null; gatewayState?: null }|{ kind?: "dictionary"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary: sluice.v1.Dictionary.$Shape; tokenExpiring?: null; gatewayState?: null }|{ kind?: "tokenExpiring"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring: sluice.v1.TokenExpiring.$Shape; gatewayState?: null }|{ kind?: "gatewayState"; connected?: null; subscribed?: null; unsubscribed?: null; published?: null; history?: null; presence?: null; status?: null; refreshed?: null; pong?: null; result?: null; error?: null; batch?: null; reset?: null; snapshot?: null; joined?: null; left?: null; lagging?: null; caughtUp?: null; message?: null; goingAway?: null; dictionary?: null; tokenExpiring?: null; gatewayState: sluice.v1.GatewayState.$Shape })
            );
        }

        interface IConnected extends sluice.v1.Connected.$Properties {
        }

        class Connected {
            constructor(properties?: sluice.v1.Connected.$Properties);
            $unknowns?: Uint8Array[];
            session: string;
            timeMs: number;
            version: string;
            user: string;
            limits?: (sluice.v1.Limits.$Properties|null);
            capabilities: string[];
            expiresMs: number;
            degraded: boolean;
            static encode(message: sluice.v1.Connected.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Connected & sluice.v1.Connected.$Shape;
        }

        namespace Connected {
            interface $Properties {
                session?: (string|null);
                timeMs?: (number|null);
                version?: (string|null);
                user?: (string|null);
                limits?: (sluice.v1.Limits.$Properties|null);
                capabilities?: (string[]|null);
                expiresMs?: (number|null);
                degraded?: (boolean|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Connected.$Properties;
        }

        interface ILimits extends sluice.v1.Limits.$Properties {
        }

        class Limits {
            constructor(properties?: sluice.v1.Limits.$Properties);
            $unknowns?: Uint8Array[];
            frameMaxBytes: number;
            payloadMaxBytes: number;
            subscriptions: number;
            commandsPerSecond: number;
            idleTimeoutMs: number;
            static encode(message: sluice.v1.Limits.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Limits & sluice.v1.Limits.$Shape;
        }

        namespace Limits {
            interface $Properties {
                frameMaxBytes?: (number|null);
                payloadMaxBytes?: (number|null);
                subscriptions?: (number|null);
                commandsPerSecond?: (number|null);
                idleTimeoutMs?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Limits.$Properties;
        }

        interface IPosition extends sluice.v1.Position.$Properties {
        }

        class Position {
            constructor(properties?: sluice.v1.Position.$Properties);
            $unknowns?: Uint8Array[];
            epoch: string;
            offset: number;
            static encode(message: sluice.v1.Position.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Position & sluice.v1.Position.$Shape;
        }

        namespace Position {
            interface $Properties {
                epoch?: (string|null);
                offset?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Position.$Properties;
        }

        interface ITopicPosition extends sluice.v1.TopicPosition.$Properties {
        }

        class TopicPosition {
            constructor(properties?: sluice.v1.TopicPosition.$Properties);
            $unknowns?: Uint8Array[];
            topic: string;
            epoch: string;
            offset: number;
            static encode(message: sluice.v1.TopicPosition.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.TopicPosition & sluice.v1.TopicPosition.$Shape;
        }

        namespace TopicPosition {
            interface $Properties {
                topic?: (string|null);
                epoch?: (string|null);
                offset?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.TopicPosition.$Properties;
        }

        interface IRange extends sluice.v1.Range.$Properties {
        }

        class Range {
            constructor(properties?: sluice.v1.Range.$Properties);
            $unknowns?: Uint8Array[];
            after: number;
            upto: number;
            static encode(message: sluice.v1.Range.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Range & sluice.v1.Range.$Shape;
        }

        namespace Range {
            interface $Properties {
                after?: (number|null);
                upto?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Range.$Properties;
        }

        interface ISubscribed extends sluice.v1.Subscribed.$Properties {
        }

        class Subscribed {
            constructor(properties?: sluice.v1.Subscribed.$Properties);
            $unknowns?: Uint8Array[];
            results: sluice.v1.SubscribeResult.$Properties[];
            static encode(message: sluice.v1.Subscribed.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Subscribed & sluice.v1.Subscribed.$Shape;
        }

        namespace Subscribed {
            interface $Properties {
                results?: (sluice.v1.SubscribeResult.$Properties[]|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Subscribed.$Properties;
        }

        interface ISubscribeResult extends sluice.v1.SubscribeResult.$Properties {
        }

        class SubscribeResult {
            constructor(properties?: sluice.v1.SubscribeResult.$Properties);
            $unknowns?: Uint8Array[];
            topic: string;
            error?: (sluice.v1.Error.$Properties|null);
            view: number;
            mode: sluice.v1.Mode;
            epoch: string;
            offset: number;
            recovered?: (boolean|null);
            missing?: (sluice.v1.Range.$Properties|null);
            topics: sluice.v1.TopicResult.$Properties[];
            intervalMs: number;
            cursor: string;
            inbox: boolean;
            static encode(message: sluice.v1.SubscribeResult.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.SubscribeResult & sluice.v1.SubscribeResult.$Shape;
        }

        namespace SubscribeResult {
            interface $Properties {
                topic?: (string|null);
                error?: (sluice.v1.Error.$Properties|null);
                view?: (number|null);
                mode?: (sluice.v1.Mode|null);
                epoch?: (string|null);
                offset?: (number|null);
                recovered?: (boolean|null);
                missing?: (sluice.v1.Range.$Properties|null);
                topics?: (sluice.v1.TopicResult.$Properties[]|null);
                intervalMs?: (number|null);
                cursor?: (string|null);
                inbox?: (boolean|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.SubscribeResult.$Properties;
        }

        interface ITopicResult extends sluice.v1.TopicResult.$Properties {
        }

        class TopicResult {
            constructor(properties?: sluice.v1.TopicResult.$Properties);
            $unknowns?: Uint8Array[];
            topic: string;
            epoch: string;
            offset: number;
            recovered?: (boolean|null);
            missing?: (sluice.v1.Range.$Properties|null);
            mode: sluice.v1.Mode;
            static encode(message: sluice.v1.TopicResult.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.TopicResult & sluice.v1.TopicResult.$Shape;
        }

        namespace TopicResult {
            interface $Properties {
                topic?: (string|null);
                epoch?: (string|null);
                offset?: (number|null);
                recovered?: (boolean|null);
                missing?: (sluice.v1.Range.$Properties|null);
                mode?: (sluice.v1.Mode|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.TopicResult.$Properties;
        }

        enum Mode {
            MODE_STREAM = 0,
            MODE_STATE = 1
        }

        interface IUnsubscribed extends sluice.v1.Unsubscribed.$Properties {
        }

        class Unsubscribed {
            constructor(properties?: sluice.v1.Unsubscribed.$Properties);
            $unknowns?: Uint8Array[];
            views: number[];
            reason: string;
            static encode(message: sluice.v1.Unsubscribed.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Unsubscribed & sluice.v1.Unsubscribed.$Shape;
        }

        namespace Unsubscribed {
            interface $Properties {
                views?: (number[]|null);
                reason?: (string|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Unsubscribed.$Properties;
        }

        interface IPublished extends sluice.v1.Published.$Properties {
        }

        class Published {
            constructor(properties?: sluice.v1.Published.$Properties);
            $unknowns?: Uint8Array[];
            epoch: string;
            offset: number;
            duplicate: boolean;
            static encode(message: sluice.v1.Published.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Published & sluice.v1.Published.$Shape;
        }

        namespace Published {
            interface $Properties {
                epoch?: (string|null);
                offset?: (number|null);
                duplicate?: (boolean|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Published.$Properties;
        }

        interface IHistoryPage extends sluice.v1.HistoryPage.$Properties {
        }

        class HistoryPage {
            constructor(properties?: sluice.v1.HistoryPage.$Properties);
            $unknowns?: Uint8Array[];
            topic: string;
            epoch: string;
            after: number;
            upto: number;
            more: boolean;
            publications: sluice.v1.Publication.$Properties[];
            missing?: (sluice.v1.Range.$Properties|null);
            static encode(message: sluice.v1.HistoryPage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.HistoryPage & sluice.v1.HistoryPage.$Shape;
        }

        namespace HistoryPage {
            interface $Properties {
                topic?: (string|null);
                epoch?: (string|null);
                after?: (number|null);
                upto?: (number|null);
                more?: (boolean|null);
                publications?: (sluice.v1.Publication.$Properties[]|null);
                missing?: (sluice.v1.Range.$Properties|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = {
              topic?: string|null;
              epoch?: string|null;
              after?: number|null;
              upto?: number|null;
              more?: boolean|null;
              publications?: sluice.v1.Publication.$Shape[]|null;
              missing?: sluice.v1.Range.$Shape|null;
              $unknowns?: Uint8Array[];
            };
        }

        interface IPresenceList extends sluice.v1.PresenceList.$Properties {
        }

        class PresenceList {
            constructor(properties?: sluice.v1.PresenceList.$Properties);
            $unknowns?: Uint8Array[];
            topic: string;
            members: sluice.v1.Member.$Properties[];
            count: number;
            static encode(message: sluice.v1.PresenceList.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.PresenceList & sluice.v1.PresenceList.$Shape;
        }

        namespace PresenceList {
            interface $Properties {
                topic?: (string|null);
                members?: (sluice.v1.Member.$Properties[]|null);
                count?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.PresenceList.$Properties;
        }

        interface IMember extends sluice.v1.Member.$Properties {
        }

        class Member {
            constructor(properties?: sluice.v1.Member.$Properties);
            $unknowns?: Uint8Array[];
            session: string;
            user: string;
            sinceMs: number;
            static encode(message: sluice.v1.Member.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Member & sluice.v1.Member.$Shape;
        }

        namespace Member {
            interface $Properties {
                session?: (string|null);
                user?: (string|null);
                sinceMs?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Member.$Properties;
        }

        interface ISessionStatus extends sluice.v1.SessionStatus.$Properties {
        }

        class SessionStatus {
            constructor(properties?: sluice.v1.SessionStatus.$Properties);
            $unknowns?: Uint8Array[];
            session: string;
            user: string;
            connectedAtMs: number;
            messageCount: number;
            subscriptions: sluice.v1.SubscriptionStatus.$Properties[];
            timeMs: number;
            static encode(message: sluice.v1.SessionStatus.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.SessionStatus & sluice.v1.SessionStatus.$Shape;
        }

        namespace SessionStatus {
            interface $Properties {
                session?: (string|null);
                user?: (string|null);
                connectedAtMs?: (number|null);
                messageCount?: (number|null);
                subscriptions?: (sluice.v1.SubscriptionStatus.$Properties[]|null);
                timeMs?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.SessionStatus.$Properties;
        }

        interface ISubscriptionStatus extends sluice.v1.SubscriptionStatus.$Properties {
        }

        class SubscriptionStatus {
            constructor(properties?: sluice.v1.SubscriptionStatus.$Properties);
            $unknowns?: Uint8Array[];
            topic: string;
            view: number;
            static encode(message: sluice.v1.SubscriptionStatus.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.SubscriptionStatus & sluice.v1.SubscriptionStatus.$Shape;
        }

        namespace SubscriptionStatus {
            interface $Properties {
                topic?: (string|null);
                view?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.SubscriptionStatus.$Properties;
        }

        interface IRefreshed extends sluice.v1.Refreshed.$Properties {
        }

        class Refreshed {
            constructor(properties?: sluice.v1.Refreshed.$Properties);
            $unknowns?: Uint8Array[];
            expiresMs: number;
            static encode(message: sluice.v1.Refreshed.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Refreshed & sluice.v1.Refreshed.$Shape;
        }

        namespace Refreshed {
            interface $Properties {
                expiresMs?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Refreshed.$Properties;
        }

        interface IPong extends sluice.v1.Pong.$Properties {
        }

        class Pong {
            constructor(properties?: sluice.v1.Pong.$Properties);
            $unknowns?: Uint8Array[];
            timeMs: number;
            static encode(message: sluice.v1.Pong.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Pong & sluice.v1.Pong.$Shape;
        }

        namespace Pong {
            interface $Properties {
                timeMs?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Pong.$Properties;
        }

        interface IResult extends sluice.v1.Result.$Properties {
        }

        class Result {
            constructor(properties?: sluice.v1.Result.$Properties);
            $unknowns?: Uint8Array[];
            json?: (Uint8Array|null);
            binary?: (Uint8Array|null);
            payload?: ("json"|"binary");
            static encode(message: sluice.v1.Result.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Result & sluice.v1.Result.$Shape;
        }

        namespace Result {
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

        interface IError extends sluice.v1.Error.$Properties {
        }

        class Error {
            constructor(properties?: sluice.v1.Error.$Properties);
            $unknowns?: Uint8Array[];
            code: string;
            number: number;
            message: string;
            retry: boolean;
            retryAfterMs: number;
            static encode(message: sluice.v1.Error.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Error & sluice.v1.Error.$Shape;
        }

        namespace Error {
            interface $Properties {
                code?: (string|null);
                number?: (number|null);
                message?: (string|null);
                retry?: (boolean|null);
                retryAfterMs?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Error.$Properties;
        }

        interface IPublication extends sluice.v1.Publication.$Properties {
        }

        class Publication {
            constructor(properties?: sluice.v1.Publication.$Properties);
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
            static encode(message: sluice.v1.Publication.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Publication & sluice.v1.Publication.$Shape;
        }

        namespace Publication {
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

        interface IBatch extends sluice.v1.Batch.$Properties {
        }

        class Batch {
            constructor(properties?: sluice.v1.Batch.$Properties);
            $unknowns?: Uint8Array[];
            view: number;
            topic: string;
            epoch: string;
            after: number;
            upto: number;
            publications: sluice.v1.Publication.$Properties[];
            deflate: Uint8Array;
            plainBytes: number;
            crc32: number;
            dictionary: number;
            cursor: string;
            static encode(message: sluice.v1.Batch.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Batch & sluice.v1.Batch.$Shape;
        }

        namespace Batch {
            interface $Properties {
                view?: (number|null);
                topic?: (string|null);
                epoch?: (string|null);
                after?: (number|null);
                upto?: (number|null);
                publications?: (sluice.v1.Publication.$Properties[]|null);
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
              publications?: sluice.v1.Publication.$Shape[]|null;
              deflate?: Uint8Array|null;
              plainBytes?: number|null;
              crc32?: number|null;
              dictionary?: number|null;
              cursor?: string|null;
              $unknowns?: Uint8Array[];
            };
        }

        interface IReset extends sluice.v1.Reset.$Properties {
        }

        class Reset {
            constructor(properties?: sluice.v1.Reset.$Properties);
            $unknowns?: Uint8Array[];
            view: number;
            topic: string;
            epoch: string;
            offset: number;
            mode: sluice.v1.Mode;
            static encode(message: sluice.v1.Reset.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Reset & sluice.v1.Reset.$Shape;
        }

        namespace Reset {
            interface $Properties {
                view?: (number|null);
                topic?: (string|null);
                epoch?: (string|null);
                offset?: (number|null);
                mode?: (sluice.v1.Mode|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Reset.$Properties;
        }

        interface ISnapshot extends sluice.v1.Snapshot.$Properties {
        }

        class Snapshot {
            constructor(properties?: sluice.v1.Snapshot.$Properties);
            $unknowns?: Uint8Array[];
            view: number;
            topic: string;
            epoch: string;
            offset: number;
            first: boolean;
            publications: sluice.v1.Publication.$Properties[];
            last: boolean;
            partial: boolean;
            static encode(message: sluice.v1.Snapshot.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Snapshot & sluice.v1.Snapshot.$Shape;
        }

        namespace Snapshot {
            interface $Properties {
                view?: (number|null);
                topic?: (string|null);
                epoch?: (string|null);
                offset?: (number|null);
                first?: (boolean|null);
                publications?: (sluice.v1.Publication.$Properties[]|null);
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
              publications?: sluice.v1.Publication.$Shape[]|null;
              last?: boolean|null;
              partial?: boolean|null;
              $unknowns?: Uint8Array[];
            };
        }

        interface IJoined extends sluice.v1.Joined.$Properties {
        }

        class Joined {
            constructor(properties?: sluice.v1.Joined.$Properties);
            $unknowns?: Uint8Array[];
            topic: string;
            member?: (sluice.v1.Member.$Properties|null);
            static encode(message: sluice.v1.Joined.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Joined & sluice.v1.Joined.$Shape;
        }

        namespace Joined {
            interface $Properties {
                topic?: (string|null);
                member?: (sluice.v1.Member.$Properties|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Joined.$Properties;
        }

        interface ILeft extends sluice.v1.Left.$Properties {
        }

        class Left {
            constructor(properties?: sluice.v1.Left.$Properties);
            $unknowns?: Uint8Array[];
            topic: string;
            member?: (sluice.v1.Member.$Properties|null);
            static encode(message: sluice.v1.Left.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Left & sluice.v1.Left.$Shape;
        }

        namespace Left {
            interface $Properties {
                topic?: (string|null);
                member?: (sluice.v1.Member.$Properties|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Left.$Properties;
        }

        interface ILagging extends sluice.v1.Lagging.$Properties {
        }

        class Lagging {
            constructor(properties?: sluice.v1.Lagging.$Properties);
            $unknowns?: Uint8Array[];
            views: number[];
            static encode(message: sluice.v1.Lagging.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Lagging & sluice.v1.Lagging.$Shape;
        }

        namespace Lagging {
            interface $Properties {
                views?: (number[]|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Lagging.$Properties;
        }

        interface ICaughtUp extends sluice.v1.CaughtUp.$Properties {
        }

        class CaughtUp {
            constructor(properties?: sluice.v1.CaughtUp.$Properties);
            $unknowns?: Uint8Array[];
            view: number;
            topic: string;
            epoch: string;
            offset: number;
            recovered: boolean;
            missing?: (sluice.v1.Range.$Properties|null);
            cursor: string;
            static encode(message: sluice.v1.CaughtUp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.CaughtUp & sluice.v1.CaughtUp.$Shape;
        }

        namespace CaughtUp {
            interface $Properties {
                view?: (number|null);
                topic?: (string|null);
                epoch?: (string|null);
                offset?: (number|null);
                recovered?: (boolean|null);
                missing?: (sluice.v1.Range.$Properties|null);
                cursor?: (string|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.CaughtUp.$Properties;
        }

        interface IMessage extends sluice.v1.Message.$Properties {
        }

        class Message {
            constructor(properties?: sluice.v1.Message.$Properties);
            $unknowns?: Uint8Array[];
            type: string;
            json?: (Uint8Array|null);
            binary?: (Uint8Array|null);
            payload?: ("json"|"binary");
            static encode(message: sluice.v1.Message.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Message & sluice.v1.Message.$Shape;
        }

        namespace Message {
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

        interface IGoingAway extends sluice.v1.GoingAway.$Properties {
        }

        class GoingAway {
            constructor(properties?: sluice.v1.GoingAway.$Properties);
            $unknowns?: Uint8Array[];
            reconnectDelayMs: number;
            reason: string;
            static encode(message: sluice.v1.GoingAway.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.GoingAway & sluice.v1.GoingAway.$Shape;
        }

        namespace GoingAway {
            interface $Properties {
                reconnectDelayMs?: (number|null);
                reason?: (string|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.GoingAway.$Properties;
        }

        interface ITokenExpiring extends sluice.v1.TokenExpiring.$Properties {
        }

        class TokenExpiring {
            constructor(properties?: sluice.v1.TokenExpiring.$Properties);
            $unknowns?: Uint8Array[];
            expiresMs: number;
            static encode(message: sluice.v1.TokenExpiring.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.TokenExpiring & sluice.v1.TokenExpiring.$Shape;
        }

        namespace TokenExpiring {
            interface $Properties {
                expiresMs?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.TokenExpiring.$Properties;
        }

        interface IGatewayState extends sluice.v1.GatewayState.$Properties {
        }

        class GatewayState {
            constructor(properties?: sluice.v1.GatewayState.$Properties);
            $unknowns?: Uint8Array[];
            degraded: boolean;
            static encode(message: sluice.v1.GatewayState.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.GatewayState & sluice.v1.GatewayState.$Shape;
        }

        namespace GatewayState {
            interface $Properties {
                degraded?: (boolean|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.GatewayState.$Properties;
        }

        interface IDictionary extends sluice.v1.Dictionary.$Properties {
        }

        class Dictionary {
            constructor(properties?: sluice.v1.Dictionary.$Properties);
            $unknowns?: Uint8Array[];
            dictionary: number;
            view: number;
            data: Uint8Array;
            crc32: number;
            static encode(message: sluice.v1.Dictionary.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sluice.v1.Dictionary & sluice.v1.Dictionary.$Shape;
        }

        namespace Dictionary {
            interface $Properties {
                dictionary?: (number|null);
                view?: (number|null);
                data?: (Uint8Array|null);
                crc32?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = sluice.v1.Dictionary.$Properties;
        }
    }
}
