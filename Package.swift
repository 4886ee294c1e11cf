// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target: Swift 6 language mode, no warning survives.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "Commerce",
    products: [
        .executable(name: "commerce", targets: ["CommerceTool"]),
        .executable(name: "commerce-bench", targets: ["CommerceBench"]),  // Not shipped.
        .executable(name: "commerce-faults", targets: ["CommerceFaults"]),  // Not shipped.
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    ],
    targets: [
        // The C libraries: the only places that include C headers.
        .systemLibrary(
            name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CFastCGI", providers: [.apt(["libfcgi-dev"])]),
        .systemLibrary(
            name: "CMariaDB", pkgConfig: "libmariadb", providers: [.apt(["libmariadb-dev"])]),
        .systemLibrary(
            name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CRabbitMQ", pkgConfig: "librabbitmq", providers: [.apt(["librabbitmq-dev"])]),

        // Threads that may block.
        .target(name: "Threads", swiftSettings: strict),

        // swift-metrics in Prometheus' text format.
        .target(
            name: "Prometheus",
            dependencies: [.product(name: "CoreMetrics", package: "swift-metrics")],
            swiftSettings: strict),

        // JSON that somebody else has written.
        .target(name: "StrictJSON", swiftSettings: strict),

        // The log as lines of JSON or text.
        .target(
            name: "LogLines", dependencies: [.product(name: "Logging", package: "swift-log")],
            swiftSettings: strict),

        // Each C library behind small types of ours.
        .target(
            name: "FastCGI",
            dependencies: [
                "CFastCGI", "Threads",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(
            name: "HTTPClient",
            dependencies: ["CCurl", .product(name: "HTTPTypes", package: "swift-http-types")],
            swiftSettings: strict),
        .target(
            name: "MariaDB",
            dependencies: [
                "CMariaDB", "Threads", .product(name: "Metrics", package: "swift-metrics"),
            ],
            swiftSettings: strict),
        .target(name: "AMQP", dependencies: ["CRabbitMQ", "Threads"], swiftSettings: strict),
        .target(name: "Memcached", swiftSettings: strict),
        .target(name: "Crypto", dependencies: ["COpenSSL"], swiftSettings: strict),

        // The shop: rules, storage, routes.
        .target(name: "Commerce", swiftSettings: strict),
        .target(
            name: "Store",
            dependencies: [
                "Commerce", "MariaDB", "Memcached", "Threads",
                "Crypto",
                .product(name: "Metrics", package: "swift-metrics"),
            ],
            swiftSettings: strict),
        .target(
            name: "API",
            dependencies: [
                "Commerce", "FastCGI", "MariaDB", "StatusPage", "Store", "StrictJSON",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ],
            swiftSettings: strict),

        // What operators see in a browser.
        .target(
            name: "StatusPage",
            dependencies: ["Crypto"],
            resources: [.embedInCode("Page")], swiftSettings: strict),

        // Brings events to those who want to know of them.
        .target(
            name: "Events",
            dependencies: [
                "AMQP", "Commerce", "Crypto", "HTTPClient", "MariaDB", "Store", "StrictJSON",
                "Threads",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "CommerceTool",
            dependencies: [
                "AMQP", "API", "Commerce", "Events", "FastCGI", "HTTPClient", "LogLines", "MariaDB",
                "Memcached", "Prometheus", "Store", "Threads",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ],
            swiftSettings: strict),

        // The strategies side by side. Not shipped.
        .executableTarget(
            name: "CommerceBench",
            dependencies: [
                "API", "Commerce", "MariaDB", "Memcached", "Prometheus", "Store", "Threads",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Metrics", package: "swift-metrics"),
            ],
            swiftSettings: strict),

        // Rules without I/O.
        .testTarget(
            name: "CommerceTests", dependencies: ["Commerce", "SeededRandom"],
            swiftSettings: strict),
        .target(
            name: "SeededRandom", path: "Tests/Support/SeededRandom", swiftSettings: strict),
        .testTarget(
            name: "EventsTests", dependencies: ["Events", "Store"], swiftSettings: strict),
        // Parts on the real thing that each wraps.
        .testTarget(name: "CryptoTests", dependencies: ["Crypto"], swiftSettings: strict),
        .testTarget(
            name: "FastCGITests", dependencies: ["EchoResponder", "FastCGI"],
            swiftSettings: strict),
        .executableTarget(
            name: "EchoResponder",
            dependencies: [
                "FastCGI", "Threads",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/Support/EchoResponder", swiftSettings: strict),
        .testTarget(
            name: "HTTPClientTests", dependencies: ["HTTPClient", "HTTPReceiver"],
            swiftSettings: strict),
        .target(
            name: "HTTPReceiver", dependencies: ["Threads"],
            path: "Tests/Support/HTTPReceiver", swiftSettings: strict),
        .target(
            name: "ShopParts", dependencies: ["MariaDB"], path: "Tests/Support/ShopParts",
            swiftSettings: strict),
        // Whole shops amid faults. Not shipped.
        .target(
            name: "Faults",
            dependencies: [
                "HTTPReceiver", "MariaDB", "ShopParts",
                "Crypto",
            ],
            path: "Tests/Support/Faults", swiftSettings: strict),
        .executableTarget(
            name: "CommerceFaults",
            dependencies: [
                "Faults", "ShopParts", "Threads",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Support/CommerceFaults", swiftSettings: strict),
        .testTarget(name: "MariaDBTests", dependencies: ["MariaDB"], swiftSettings: strict),
        .testTarget(
            name: "MemcachedTests", dependencies: ["Memcached", "ShopParts"],
            swiftSettings: strict),
        .testTarget(
            name: "StrictJSONTests", dependencies: ["StrictJSON"], swiftSettings: strict),
        // The shop as its users meet it: through nginx, on real servers.
        .testTarget(
            name: "ShopTests",
            dependencies: [
                "AMQP", "API", "Commerce", "CommerceFaults", "CommerceTool", "Crypto", "Events",
                "Faults", "HTTPClient", "HTTPReceiver", "LogLines", "MariaDB", "Memcached",
                "Prometheus",
                "SeededRandom", "ShopParts", "Store", "Threads",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
    ])

// libFuzzer is linked by the flags of script/fuzz, without which these would not build.
if Context.environment["COMMERCE_FUZZ"] != nil {
    package.targets += [
        .systemLibrary(name: "CFuzzer", path: "Tests/Fuzz/CFuzzer"),
        .executableTarget(
            name: "CommerceFuzz",
            dependencies: [
                "AMQP", "API", "CFuzzer", "Commerce", "FastCGI", "Memcached", "ShopParts",
                "StrictJSON", "Threads",
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            path: "Tests/Fuzz/CommerceFuzz", swiftSettings: strict),
    ]
    package.products.append(.executable(name: "commerce-fuzz", targets: ["CommerceFuzz"]))
}
