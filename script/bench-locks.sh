# script/bench locks: the strategies side by side, in the database. Sourced by script/bench.
# shellcheck shell=bash disable=SC2154

# What commerce-bench and the load are run on: a new database with many users, who cannot run out
# of points, and many products, which cannot run out of stock.
lay_ground() {
    sql_client "$folder" -e "DROP DATABASE IF EXISTS $database" ||
        die "the database of the last run could not be dropped"
    prepare_database "$folder"
    sql_client "$folder" "$database" <<SQL || die "the users and products could not be made"
INSERT INTO users (id, name, hp_no, point)
SELECT seq, CONCAT('구매자 ', seq), '010-0000-0000', $ground_points
  FROM seq_${ground_user_first}_to_${ground_user_last};
INSERT INTO product (id, name, price)
SELECT seq, CONCAT('상품 ', seq), $ground_price
  FROM seq_${ground_product_first}_to_${ground_product_last};
INSERT INTO stock (product_id, quantity)
SELECT seq, $ground_stock FROM seq_${ground_product_first}_to_${ground_product_last};
SQL
    reconcile
}

# Lets the books begin anew with what was set by hand.
reconcile() {
    sql_client "$folder" "$database" <"$repository/sql/reconcile.sql" ||
        die "the books could not be reconciled"
}

build_bench() {
    cd "$repository" || die "cannot enter $repository"
    swift_build -c release --static-swift-stdlib --product commerce-bench
    bench_binary=$repository/.build/release/commerce-bench
}

# bench_locks [OPTION of commerce-bench locks...]
bench_locks() {
    start_private_folder
    build_bench
    start_mariadb "$folder"
    lay_ground
    start_memcached "$folder"
    with_settings "$folder" foreground "$bench_binary" locks "$@"
}
