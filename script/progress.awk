# Numbers the lines of `swift test` that say how a test ended. `total`: of all tests; 0 where that is
# not known. Every other line, such as the verdict, stays as it is.
/Test .* (passed|failed) after / && !/ Test (run|case) / && !/ Suite / {
    $0 = sprintf(total ? "[%d of %d] %s" : "[%d] %s", ++ended, total ? total : $0, $0)
}
{ print; fflush() }
